/*
 * Stops the server in steps: no new clients; SIGTERM shortly before the grace ends;
 * SIGKILL when it has ended, or at a second request; and the end, even if SIGKILL has
 * not ended a process. See prongd(8), SIGNALS.
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
	/*
	 * CLOCK_NEVER: not planned. At leave_at_us the server ends whatever still
	 * lives.
	 */
	int64_t term_at_us, kill_at_us, leave_at_us;
};

void stop_open(struct stop *stop);

/*
 * A signal asks for a stop: takes no new clients, and lets open sessions finish within
 * grace_us.
 */
void stop_begin(struct stop *stop, int signal, int64_t sessions, int64_t grace_us,
		int64_t now_us);

/* Takes no more clients and kills every process; they still have to be reaped. */
void stop_at_once(struct stop *stop, int64_t now_us);

/* Does what was due at heard_us; sessions is how many are open. */
void stop_enforce(struct stop *stop, int64_t sessions, int64_t heard_us);

/* A stop was requested, no client can come any more, and every process is reaped. */
bool stop_is_complete(const struct stop *stop);

/* When it must act next; CLOCK_NEVER: never. */
int64_t stop_deadline(const struct stop *stop);

#endif
