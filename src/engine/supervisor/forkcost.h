/*
 * What makes a fork of the supervisor cheaper, and the work of a pool. Each of these is
 * measured in docs/design/speed.md; without any of them the server works the same.
 */
#ifndef ENGINE_FORKCOST_H
#define ENGINE_FORKCOST_H

#include <stdbool.h>

struct forkcost {
	bool batch;      /* the scheduling policy was changed to SCHED_BATCH */
	bool rseq_ended; /* restartable sequences are not registered for now */
};

/* In the process that will fork; pool: the same few processes serve all the time. */
void forkcost_reduce(struct forkcost *forkcost, bool pool);

/* Puts everything back as it was. */
void forkcost_restore(const struct forkcost *forkcost);

/* Calls run(arg), which forks, at the top of a page of the stack. Returns its result. */
int forkcost_call(int (*run)(void *arg), void *arg);

#endif
