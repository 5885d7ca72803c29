/*
 * What happens when a child has ended: its connection is counted as closed, and its
 * slot becomes free.
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

/* owner is a struct departures; the child that info describes has been reaped. */
void departure(void *owner, const siginfo_t *info, int64_t now_us);

/*
 * The server ends although some processes cannot be ended: logs each of them, and
 * counts its connection as closed.
 */
void departures_leave(struct departures *departures, int64_t now_us);

#endif
