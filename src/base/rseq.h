/*
 * Restartable sequences, which libc registers for each thread (rseq(2)): the kernel
 * writes into the registered memory whenever the thread has moved or was interrupted. In
 * a process that forks all the time that is a copied page for the child and one for the
 * parent. libc does without them; sched_getcpu(3) asks the kernel then.
 */
#ifndef BASE_RSEQ_H
#define BASE_RSEQ_H

#include <stdbool.h>

/* Ends the calling thread's registration. Returns whether there was one to end. */
bool rseq_end(void);

/* Registers it again as libc had. */
void rseq_begin(void);

#endif
