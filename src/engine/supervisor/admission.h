/*
 * Taking clients: accepting, the limit, pauses after failures, refusing. Owns the
 * listeners, and the one connection that is accepted but has no process yet.
 */
#ifndef ENGINE_ADMISSION_H
#define ENGINE_ADMISSION_H

#include "base/listener.h"
#include "base/loop.h"
#include "engine/record/backoff.h"
#include "engine/record/client.h"
#include "engine/record/settings.h"
#include "saturation.h"
#include "turns.h"

#define LISTENERS_MAX TURNS_MAX

/*
 * At the stop, for handshakes that have begun: a client takes its connection for open as
 * soon as it has the SYN-ACK, and the kernel tells of it only once the client's ACK is
 * there. Closing a listener in between resets that client.
 */
#define ADMISSION_HANDSHAKES_US 20000

struct dispatch;
struct report;
struct sessions;

struct admission {
	struct loop *loop;
	struct sessions *sessions;
	struct dispatch *dispatch;
	struct report *report;
	const struct settings *settings;

	struct listener listeners[LISTENERS_MAX];
	unsigned listener_count;
	struct watch watches[LISTENERS_MAX];
	uint64_t open;         /* the listeners that are open, a turns_bit() each */
	uint64_t watched;      /* those that are in the loop */
	struct turns turns;    /* those that may have a client */
	bool accepts;          /* false: workers do, until the stop */
	bool draining;         /* only clients that are queued already are taken */
	int64_t handshakes_us; /* until when they may come to their end; 0: no more */

	/* Listeners whose own accept(2) fails; the others go on meanwhile. */
	uint64_t failing;
	struct backoff retries[LISTENERS_MAX];

	struct client held;    /* accepted, but no process could be made yet */
	struct backoff accept; /* after accept(2) failed for want of something */
	int error;             /* errno of its last failure */
	struct saturation saturation;
	int null_fd;    /* /dev/null */
	int reserve_fd; /* closed to have one descriptor when there is none */
};

/* Prepares it, without listeners; parts, settings and null_fd are set before. */
void admission_open(struct admission *admission);

/* Begins to take clients. Returns 0 or a negative errno. */
int admission_start(struct admission *admission);

/*
 * Accepts clients that wait and dispatches them, a batch at most. Listeners that have
 * clients take turns, one client each.
 */
void admission_admit(struct admission *admission, int64_t now_us);

/*
 * Puts listeners into the loop or takes them out, as the state of things asks for: a
 * listener that cannot be served is not watched, so nothing spins.
 */
void admission_settle(struct admission *admission, int64_t now_us);

/* When it next has something to do by itself; CLOCK_NEVER. */
int64_t admission_deadline(const struct admission *admission);

/* Takes no new clients; those in the kernel's queue are still served. */
void admission_drain(struct admission *admission, int64_t now_us);

/* Ends admission now: listeners closed, the held client cut off. */
void admission_close(struct admission *admission, int64_t now_us);

/* Whether no client can come any more. */
bool admission_is_over(const struct admission *admission);

/* Frees what admission_start() took. Listeners stay; admission_close_listeners(). */
void admission_end(struct admission *admission);

/* Closes the listeners that are open. */
void admission_close_listeners(struct admission *admission);

#endif
