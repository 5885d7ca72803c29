/*
 * Accepts clients: the limit, pauses after failures, refusal. Owns the listeners, and
 * the one connection that is accepted but has no process yet.
 */
#ifndef ENGINE_ADMISSION_H
#define ENGINE_ADMISSION_H

#include "base/listener.h"
#include "base/loop.h"
#include "engine/record/backoff.h"
#include "engine/record/client.h"
#include "engine/record/settings.h"
#include "handshakes.h"
#include "saturation.h"
#include "turns.h"

#define LISTENERS_MAX TURNS_MAX

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
	uint64_t open;                /* the open listeners, a turns_bit() each */
	uint64_t watched;             /* those that are in the loop */
	struct turns turns;           /* the listeners that may have a client */
	bool accepts;                 /* false: workers accept, until the stop */
	bool draining;                /* only clients already in the queue are taken */
	struct handshakes handshakes; /* of those that are draining */

	/* Listeners whose own accept(2) fails; the others go on meanwhile. */
	uint64_t failing;
	struct backoff retries[LISTENERS_MAX];

	struct client held;    /* accepted, but no process could be made yet */
	struct backoff accept; /* after accept(2) failed for lack of something */
	int error;             /* errno of its last failure */
	struct saturation saturation;
	int null_fd;    /* /dev/null */
	int reserve_fd; /* closed when no other descriptor is free */
};

/* Prepares it without listeners; the caller has set parts, settings and null_fd. */
void admission_open(struct admission *admission);

/* Begins to accept. Returns 0 or a negative errno. */
int admission_start(struct admission *admission);

/*
 * Accepts waiting clients and dispatches them, at most one batch. Listeners that have
 * clients take turns, one client each.
 */
void admission_admit(struct admission *admission, int64_t now_us);

/*
 * Adds listeners to the loop or removes them: a listener that cannot be served now is
 * not watched, so that the loop does not spin.
 */
void admission_settle(struct admission *admission, int64_t now_us);

/* When it must act next without an event; CLOCK_NEVER: never. */
int64_t admission_deadline(const struct admission *admission);

/* Takes no new clients; those in the kernel's queue are still served. */
void admission_drain(struct admission *admission, int64_t now_us);

/* Ends admission now: closes the listeners, and the held client's connection. */
void admission_close(struct admission *admission, int64_t now_us);

/* Whether no client can come any more. */
bool admission_is_over(const struct admission *admission);

/*
 * Frees what admission_start() took. The listeners stay; see
 * admission_close_listeners().
 */
void admission_end(struct admission *admission);

/* Closes the listeners that are open. */
void admission_close_listeners(struct admission *admission);

#endif
