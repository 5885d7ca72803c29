/* Connects to one address, for a limited time; a signal can interrupt it. */
#ifndef PRONG_COMMON_DIAL_H
#define PRONG_COMMON_DIAL_H

#include <stdint.h>

#include "base/address.h"

/*
 * Connects to an address. With timeout_ms 0 the system decides how long it tries
 * (tcp(7), tcp_syn_retries); for a UNIX socket whose queue is full there is no limit.
 * interrupts is a descriptor of interrupt_open(); nothing is read from it.
 *
 * On success *out is the socket: non-blocking, close-on-exec, with TCP_NODELAY, and the
 * caller's. On failure *out is untouched and nothing is left open. Returns 0;
 * -ETIMEDOUT; -EINTR if a signal is pending in interrupts; or another negative errno of
 * socket(2) or connect(2).
 */
int dial(int *out, const struct address *to, int64_t timeout_ms, int interrupts);

#endif
