/*
 * Ends processes whose time is over: sessions by SIGTERM, and processes that were told
 * to end by SIGKILL. A process that survives SIGKILL gets it again, and is logged.
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
	int64_t hangup_us;          /* from a client's hang-up to its program's end */
	int64_t again_us;           /* no SIGKILL is repeated before this time */
};

/*
 * Ends the processes whose time was over at heard_us, the moment up to which all events
 * are known. A supervisor that was stopped for a minute thus first hears of the
 * processes that have finished meanwhile.
 */
void deadlines_enforce(struct deadlines *deadlines, int64_t heard_us);

/* When it must act next; CLOCK_NEVER: never. */
int64_t deadlines_next(const struct deadlines *deadlines);

#endif
