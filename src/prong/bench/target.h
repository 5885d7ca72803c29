/* The sockets of a run, to the one address it goes to. All of it is non-blocking. */
#ifndef PRONG_BENCH_TARGET_H
#define PRONG_BENCH_TARGET_H

#include <stdbool.h>

#include "base/address.h"
#include "origin.h"

/*
 * Make a socket for target: non-blocking, close-on-exec, bound to the next address of
 * origin if it has any, with TCP_NODELAY if asked.
 * Returns the descriptor, the caller's, or a negative errno.
 */
int target_socket(const struct address *target, struct origin *origin, bool nodelay);

/*
 * Begin to connect fd. Returns 0 if connected, -EINPROGRESS if under way (then it
 * becomes writable and SO_ERROR tells), -EAGAIN if a unix socket's queue is full and
 * nothing has begun, or another negative errno of connect(2).
 */
int target_connect(const struct address *target, int fd);

/*
 * Whether fd, connected, is connected to itself. Where nothing listens on a port the
 * kernel also gives to clients, connect(2) may pick that very port and succeed.
 */
bool target_is_self(const struct address *target, int fd);

#endif
