/*
 * Which process gets a connection: a spare that waits, or one that is started for it. Has
 * what all models have in common: slots, spares that are kept, and pauses after failures.
 */
#ifndef ENGINE_DISPATCH_H
#define ENGINE_DISPATCH_H

#include "engine/record/backoff.h"
#include "model.h"

struct report;

struct dispatch {
	struct processes *processes;
	struct sessions *sessions;
	struct report *report;
	struct serving serving;
	struct backoff fork;   /* after a process could not be made */
	struct backoff spares; /* after spares died without having served */
	unsigned spare;        /* more idle ones than these leave after a while */
	unsigned deferred;     /* rounds in which clients went before missing spares */
	int64_t refill_at_us; /* a connection was just dispatched: no spare until then */
	bool draining;        /* no spares are made any more */
	bool finished;        /* no client comes any more: idle processes leave */
};

void dispatch_open(struct dispatch *dispatch, unsigned spare);

/*
 * Gives client to a process, which has its descriptor then.
 * Returns 0; -EAGAIN if every slot is taken or forking waits after a failure; or
 * another negative errno of fork(2) or socketpair(2). After a failure client is untouched.
 */
int dispatch_client(struct dispatch *dispatch, struct client *client, int64_t now_us);

/* Whether a client could get a process now, as far as slots decide it. */
bool dispatch_has_room(const struct dispatch *dispatch);

/* Whether a spare that is being started will soon be room, or its slot. */
bool dispatch_expects_room(const struct dispatch *dispatch);

/* Whether clients wait, or are refused, for want of a process. */
bool dispatch_is_full(const struct dispatch *dispatch);

/*
 * Starts spares that are missing: a few, so that clients need not wait long. quiet: no
 * client has just come.
 */
void dispatch_start_spares(struct dispatch *dispatch, bool quiet, int64_t now_us);

/*
 * Ends spares that have been too many for a while, that are too old, or that do not come to
 * wait; and all when it is finished.
 */
void dispatch_stop_spares(struct dispatch *dispatch, int64_t now_us);

/* When one of these two has next something to do; CLOCK_NEVER: after an event. */
int64_t dispatch_deadline(const struct dispatch *dispatch);

/* A spare has died without having served: the next are made after a pause. */
void dispatch_spare_died(struct dispatch *dispatch, const struct process *process,
			 const siginfo_t *info, int64_t now_us);

/* A spare has served: there is nothing wrong with them. */
void dispatch_spare_served(struct dispatch *dispatch);

/* The server stops: only clients that are in the queue are still to come. */
void dispatch_drain(struct dispatch *dispatch, int64_t now_us);

/* The server stops now. */
void dispatch_abandon(struct dispatch *dispatch, int64_t now_us);

/* Whether processes that must end may live beside those of the table; model.h. */
bool dispatch_has_strays(const struct dispatch *dispatch);

/* No client is to come any more. */
void dispatch_finish(struct dispatch *dispatch);

#endif
