/*
 * The private, true table of children: one slot a process, taken before the fork
 * and freed when the process has been collected. Only the supervisor reads or
 * writes it; children do not even have it in memory.
 */
#ifndef ENGINE_SLOT_H
#define ENGINE_SLOT_H

#include <sys/types.h>

#include "client.h"
#include "reason.h"

enum slot_state {
	SLOT_FREE,
	SLOT_IDLE,   /* its process waits for a connection */
	SLOT_BUSY,   /* its process serves one */
	SLOT_ENDING, /* told to end, or about to */
	SLOT_KILLED, /* SIGKILL is sent; only the kernel can delay it now */
	SLOT_STATES
};

struct slot {
	enum slot_state state;
	int64_t since; /* of the state; clock_now() */
	pid_t pid;
	int channel;              /* our end of its socketpair; -1: none (any more) */
	bool polled;              /* channel or session is in the epoll set */
	bool unasked;             /* it was idle, and left without being told to */
	enum reason cut;          /* why we ended it; REASON_NONE: we did not */
	struct client client;     /* whom it serves; id 0: nobody */
	int64_t idle_at;          /* a session may be idle too long by then */
	struct slot *next, *prev; /* in the list of its state */
	struct slot *same_hash;
};

/* In the order in which slots came into the state: the first is the oldest. */
struct slot_list {
	struct slot *first, *last;
	unsigned count;
};

struct slots {
	struct slot *at;
	unsigned max;
	unsigned touched; /* at[touched] and beyond have never been used */
	unsigned used;    /* slots not free */
	struct slot_list in[SLOT_STATES];
	struct slot **by_pid; /* chains, through same_hash */
	unsigned hash_mask;
	size_t memory;
};

/* Returns 0 or -ENOMEM. */
int slots_open(struct slots *slots, unsigned max);
void slots_close(struct slots *slots);

/* Takes a free slot, still without a process; NULL if all are taken. */
struct slot *slot_take(struct slots *slots);

/* Enters its process, in state IDLE or BUSY. */
void slot_occupy(struct slots *slots, struct slot *slot, pid_t pid,
		 enum slot_state state, int64_t now);

/* The one setter of states, among those of a living process. */
void slot_set_state(struct slots *slots, struct slot *slot, enum slot_state state,
		    int64_t now);

/* Gives the slot back, whether or not it had a process. */
void slot_free(struct slots *slots, struct slot *slot);

/* The slot of a process; NULL if it is none of ours. */
struct slot *slot_find(const struct slots *slots, pid_t pid);

static inline bool slots_are_all_taken(const struct slots *slots)
{
	return slots->used == slots->max;
}

static inline unsigned slot_index(const struct slots *slots, const struct slot *slot)
{
	return (unsigned)(slot - slots->at);
}

#endif
