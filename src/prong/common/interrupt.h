/*
 * The signals that break a command off, as data: blocked, and read from a
 * descriptor (signalfd(2)). A child has them too, in the same descriptor: it reads
 * there what was sent to the child.
 */
#ifndef PRONG_COMMON_INTERRUPT_H
#define PRONG_COMMON_INTERRUPT_H

/*
 * Blocks SIGINT, SIGTERM and SIGHUP, except those that the program was started to
 * ignore (nohup(1), a shell's background job). SIGTERM is always among them.
 * On success *out is non-blocking, close-on-exec and the caller's.
 * Returns 0, or a negative errno of signalfd(2).
 */
int interrupt_open(int *out);

/* Takes the next signal that has come: its number, or 0 if none has. */
int interrupt_take(int fd);

/* "TERM" for SIGTERM; never NULL. */
const char *interrupt_name(int signo);

#endif
