/*
 * A time limit for a call that has none, such as getaddrinfo(3): when the time is over,
 * the process ends with a message. Only one fuse can burn at a time.
 */
#ifndef PRONG_FUSE_H
#define PRONG_FUSE_H

#include <stdint.h>

/*
 * At deadline_us (clock_now_us(); CLOCK_NEVER: never) writes message, a whole line, on
 * stderr and exits with status. Uses SIGALRM and ITIMER_REAL. message must stay valid
 * until fuse_remove().
 */
void fuse_light(int64_t deadline_us, int status, const char *message);

/* Puts the fuse out, and restores SIGALRM. Does nothing if none burns. */
void fuse_remove(void);

#endif
