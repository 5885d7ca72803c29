/*
 * Makes forks of the supervisor, and the work of a pool, cheaper. Each measure is
 * described in docs/design/speed.md; the server works the same without them.
 */
#ifndef ENGINE_FORKCOST_H
#define ENGINE_FORKCOST_H

#include <stdbool.h>

struct forkcost {
	bool batch;      /* the scheduling policy was changed to SCHED_BATCH */
	bool rseq_ended; /* the registration of restartable sequences is suspended */
};

/* In the process that will fork. pool: the same few processes serve all connections. */
void forkcost_reduce(struct forkcost *forkcost, bool pool);

/* Restores everything. */
void forkcost_restore(const struct forkcost *forkcost);

/* Calls run(arg), which forks, at the top of a page of the stack. Returns its result. */
int forkcost_call(int (*run)(void *arg), void *arg);

#endif
