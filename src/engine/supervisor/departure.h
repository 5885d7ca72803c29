/*
 * What happens when a child has ended: its connection is counted as over, and its slot is
 * free again.
 */
#ifndef ENGINE_DEPARTURE_H
#define ENGINE_DEPARTURE_H

#include "dispatch.h"

struct departures {
	struct processes *processes;
	struct sessions *sessions;
	struct dispatch *dispatch;
	struct report *report;
};

/* owner is a struct departures; the child that info tells of has been collected. */
void departure(void *owner, const siginfo_t *info, int64_t now_us);

/*
 * The server ends although processes live that it cannot end: the log names each, and its
 * connection counts as over.
 */
void departures_leave(struct departures *departures, int64_t now_us);

#endif
