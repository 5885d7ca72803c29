/*
 * Restartable sequences, which libc registers for each thread (rseq(2)): whenever the
 * thread has moved or was interrupted, the kernel writes into the registered memory. In
 * a process that forks all the time each write copies a page, once for the child and
 * once for the parent. libc works without them; sched_getcpu(3) then asks the kernel.
 */
#ifndef BASE_RSEQ_H
#define BASE_RSEQ_H

#include <stdbool.h>

/* Ends the calling thread's registration. Returns whether there was one to end. */
bool rseq_end(void);

/* Registers it again as libc did. */
void rseq_begin(void);

#endif
