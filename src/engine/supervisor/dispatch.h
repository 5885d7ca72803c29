/*
 * Chooses the process that gets a connection: a waiting spare, or a new one. Holds what
 * all models have in common: slots, spares that are kept ready, and pauses after
 * failures.
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
	struct backoff fork;   /* after a process could not be started */
	struct backoff spares; /* after spares died without having served */
	unsigned spare;        /* idle processes over this number leave after a while */
	unsigned deferred;     /* rounds in which clients came before missing spares */
	int64_t refill_at_us;  /* no spare before: a client was just dispatched */
	bool draining;         /* no more spares are started */
	bool finished;         /* no more clients come: idle processes leave */
};

void dispatch_open(struct dispatch *dispatch, unsigned spare);

/*
 * Gives client to a process, which then has its descriptor. Returns 0; -EAGAIN if every
 * slot is taken or forking pauses after a failure; or another negative errno of fork(2)
 * or socketpair(2). After a failure client is untouched.
 */
int dispatch_client(struct dispatch *dispatch, struct client *client, int64_t now_us);

/* Whether there is a slot or an idle process for a client now. */
bool dispatch_has_room(const struct dispatch *dispatch);

/* Whether a spare that is starting will soon provide room, or its slot. */
bool dispatch_expects_room(const struct dispatch *dispatch);

/* Whether clients wait, or are refused, because no process is free. */
bool dispatch_is_full(const struct dispatch *dispatch);

/*
 * Starts missing spares: only a few, so that clients do not wait long. quiet: no client
 * came just now.
 */
void dispatch_start_spares(struct dispatch *dispatch, bool quiet, int64_t now_us);

/*
 * Ends spares that have been too many for a while, that are too old, or that are not
 * ready in time; when it is finished, all spares.
 */
void dispatch_stop_spares(struct dispatch *dispatch, int64_t now_us);

/* When one of these two must act next; CLOCK_NEVER: only after an event. */
int64_t dispatch_deadline(const struct dispatch *dispatch);

/* A spare has died without having served: pauses before the next ones are started. */
void dispatch_spare_died(struct dispatch *dispatch, const struct process *process,
			 const siginfo_t *info, int64_t now_us);

/* A spare has served, so spares work. */
void dispatch_spare_served(struct dispatch *dispatch);

/* The server stops: only clients that are in the queue still come. */
void dispatch_drain(struct dispatch *dispatch, int64_t now_us);

/* The server stops now. */
void dispatch_abandon(struct dispatch *dispatch, int64_t now_us);

/* Whether processes that must end may be alive outside the table; model.h. */
bool dispatch_has_strays(const struct dispatch *dispatch);

/* No client will come any more. */
void dispatch_finish(struct dispatch *dispatch);

#endif
