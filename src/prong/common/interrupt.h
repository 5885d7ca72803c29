/*
 * The signals that interrupt a command, as data: blocked, and read from a descriptor
 * (signalfd(2)). A child has the same descriptor, and reads from it the signals that
 * were sent to the child.
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

/* Takes the next pending signal: its number, or 0 if there is none. */
int interrupt_take(int fd);

/* "TERM" for SIGTERM; never NULL. */
const char *interrupt_name(int signo);

#endif
