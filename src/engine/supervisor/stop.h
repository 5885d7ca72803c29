/*
 * Stopping the server, in its grades: no new clients; SIGTERM shortly before the grace
 * expires; SIGKILL when it has, or at a second request; and the end, even if a process is
 * left that SIGKILL has not ended. See prongd(8), SIGNALS.
 */
#ifndef ENGINE_STOP_H
#define ENGINE_STOP_H

#include "process.h"

struct admission;
struct lingering;
struct report;

struct stop {
	struct admission *admission;
	struct processes *processes;
	struct lingering *lingering;
	struct report *report;
	bool requested;
	/* CLOCK_NEVER: not to come. At leave_at_us it ends whatever still lives. */
	int64_t term_at_us, kill_at_us, leave_at_us;
};

void stop_open(struct stop *stop);

/*
 * A signal asks to stop, while sessions are open: takes no new clients, and lets those
 * finish within grace_us.
 */
void stop_begin(struct stop *stop, int signal, int64_t sessions, int64_t grace_us,
		int64_t now_us);

/* Takes no client any more and kills every process; they are still to be collected. */
void stop_at_once(struct stop *stop, int64_t now_us);

/* Does what is due as of heard_us; sessions are open. */
void stop_enforce(struct stop *stop, int64_t sessions, int64_t heard_us);

/* A stop was requested, no client can come, and every process is collected. */
bool stop_is_complete(const struct stop *stop);

/* When it has next something to do; CLOCK_NEVER. */
int64_t stop_deadline(const struct stop *stop);

#endif
