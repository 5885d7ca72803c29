/* The sockets of a run, all to the same address. Every call is non-blocking. */
#ifndef PRONG_BENCH_TARGET_H
#define PRONG_BENCH_TARGET_H

#include <stdbool.h>

#include "base/address.h"
#include "origin.h"

/*
 * Makes a socket for target: non-blocking, close-on-exec, bound to the next address of
 * origin if it has any, with TCP_NODELAY if asked. Returns the descriptor, which is the
 * caller's, or a negative errno.
 */
int target_socket(const struct address *target, struct origin *origin, bool nodelay);

/*
 * Begins to connect fd. Returns 0 if connected; -EINPROGRESS if it is in progress (then
 * it becomes writable, and SO_ERROR tells the result); -EAGAIN if a UNIX socket's queue
 * is full and nothing has begun; or another negative errno of connect(2).
 */
int target_connect(const struct address *target, int fd);

/*
 * Whether fd is connected to itself. If no server listens on a port that the kernel
 * also gives to clients, connect(2) may choose that very port and succeed.
 */
bool target_is_self(const struct address *target, int fd);

#endif
