/*
 * Ending processes over their time: sessions by SIGTERM, those told to end by SIGKILL, and
 * those that this does not end by SIGKILL again, which the log tells of.
 */
#ifndef ENGINE_DEADLINE_H
#define ENGINE_DEADLINE_H

#include "process.h"

struct report;

struct deadlines {
	struct processes *processes;
	struct report *report;
	int64_t session_timeout_us; /* 0: none */
	int64_t allowance_us;       /* model.h */
	int64_t hangup_us;          /* for a program whose client is gone, to end */
	int64_t again_us;           /* no SIGKILL is repeated before */
};

/*
 * Ends what is over its time as of heard_us, the moment up to which all that has happened
 * is known: a supervisor that was stopped for a minute first hears of those that have
 * finished meanwhile.
 */
void deadlines_enforce(struct deadlines *deadlines, int64_t heard_us);

/* When that is next to be done; CLOCK_NEVER. */
int64_t deadlines_next(const struct deadlines *deadlines);

#endif
