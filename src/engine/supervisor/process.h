/*
 * The private, true table of children: one slot a process, taken before the fork
 * and freed when the process has been collected. Only the supervisor reads or
 * writes it; children do not even have it in memory.
 */
#ifndef ENGINE_PROCESS_H
#define ENGINE_PROCESS_H

#include <sys/types.h>

#include "engine/record/client.h"
#include "engine/record/reason.h"

enum process_state {
	PROCESS_FREE,
	PROCESS_IDLE,   /* its process waits for a connection */
	PROCESS_BUSY,   /* its process serves one */
	PROCESS_ENDING, /* told to end, or about to */
	PROCESS_KILLED, /* SIGKILL is sent; only the kernel can delay it now */
	PROCESS_STATES
};

struct process {
	enum process_state state;
	int64_t since; /* of the state; clock_now() */
	pid_t pid;
	int channel;          /* our end of its socketpair; -1: none (any more) */
	bool polled;          /* channel or session is in the epoll set */
	bool unasked;         /* it was idle, and left without being told to */
	enum reason cut;      /* why we ended it; REASON_NONE: we did not */
	struct client client; /* whom it serves; id 0: nobody */
	int64_t idle_at;      /* a session may be idle too long by then */
	struct process *next, *prev; /* in the list of its state */
	struct process *same_hash;
};

/* In the order in which slots came into the state: the first is the oldest. */
struct process_list {
	struct process *first, *last;
	unsigned count;
};

struct processes {
	struct process *at;
	unsigned max;
	unsigned touched; /* at[touched] and beyond have never been used */
	unsigned used;    /* slots not free */
	struct process_list in[PROCESS_STATES];
	struct process **by_pid; /* chains, through same_hash */
	unsigned hash_mask;
	size_t memory;
};

/* Returns 0 or -ENOMEM. */
int processes_open(struct processes *processes, unsigned max);
void processes_close(struct processes *processes);

/* Takes a free slot, still without a process; NULL if all are taken. */
struct process *process_take(struct processes *processes);

/* Enters its process, in state IDLE or BUSY. */
void process_occupy(struct processes *processes, struct process *process, pid_t pid,
		    enum process_state state, int64_t now);

/* The one setter of states, among those of a living process. */
void process_set_state(struct processes *processes, struct process *process,
		       enum process_state state, int64_t now);

/* Gives the slot back, whether or not it had a process. */
void process_free(struct processes *processes, struct process *process);

/* The slot of a process; NULL if it is none of ours. */
struct process *process_find(const struct processes *processes, pid_t pid);

static inline bool processes_are_all_taken(const struct processes *processes)
{
	return processes->used == processes->max;
}

static inline unsigned process_index(const struct processes *processes,
				     const struct process *process)
{
	return (unsigned)(process - processes->at);
}

#endif
