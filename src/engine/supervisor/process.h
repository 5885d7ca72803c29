/*
 * The private, true table of the supervisor's children: one slot a process, taken before
 * the fork and freed when the process has been collected. Children do not have the table
 * in memory. Also the signals that end a process, and its channel.
 */
#ifndef ENGINE_PROCESS_H
#define ENGINE_PROCESS_H

#include <sys/types.h>

#include "base/group.h"
#include "base/loop.h"
#include "engine/record/reason.h"
#include "engine/record/scoreboard.h"
#include "session.h"

struct voice;

enum process_state {
	PROCESS_FREE,
	PROCESS_STARTING,  /* a spare that has not said yet that it waits */
	PROCESS_IDLE,      /* it waits for a connection from the supervisor */
	PROCESS_BUSY,      /* it serves one */
	PROCESS_ACCEPTING, /* it takes connections off the queue itself */
	PROCESS_HUNG_UP,   /* told that its client is gone; it may still finish */
	PROCESS_ENDING,    /* told to end, or about to */
	PROCESS_KILLED,    /* SIGKILL is sent; only the kernel can delay it now */
	PROCESS_STATES
};

struct process {
	enum process_state state;
	int64_t since_us; /* of the state */
	pid_t pid;
	int channel;         /* our end of its socketpair; -1: none (any more) */
	int watched;         /* the descriptor of it that is in the loop; -1: none */
	bool left_idle;      /* it was idle, and left without being told to */
	bool unkillable;     /* the log tells of it: SIGKILL did not end it */
	struct voice *voice; /* its standard error, while that is heard; NULL */
	unsigned vintage;    /* of the files that a warm program was started from */
	uid_t uid;           /* its own, of a range; 0 */
	enum reason
		end_cause; /* why the supervisor ended it; REASON_NONE: it did not */
	struct session session;
	struct watch watch;
	struct process *next, *prev; /* in the list of its state */
	struct process *same_hash;
};

/* In the order in which processes came into the state: the first is the oldest. */
struct process_list {
	struct process *first, *last;
	unsigned count;
};

struct processes {
	struct loop *loop;
	struct scoreboard board; /* a row for each slot */
	const struct group_calls *calls;
	uint64_t started; /* processes, in all */

	struct process *at;
	unsigned max;
	unsigned touched; /* at[touched] and beyond have never been used */
	unsigned used;    /* slots not free */
	struct process_list in[PROCESS_STATES];
	struct process **by_pid; /* chains, through same_hash */
	unsigned hash_mask;
	size_t memory_bytes;
};

/* Makes a table for max processes at once. Returns 0 or -ENOMEM. */
int processes_open(struct processes *processes, struct loop *loop, unsigned max);
void processes_close(struct processes *processes);

/* Takes a free slot, still without a process; NULL if all are taken. Its row is reset. */
struct process *process_take(struct processes *processes);

/* Enters its pid, in state STARTING, IDLE, BUSY or ACCEPTING. */
void process_occupy(struct processes *processes, struct process *process, pid_t pid,
		    enum process_state state, int64_t now_us);

/* The one setter of states, among those of a living process. */
void process_set_state(struct processes *processes, struct process *process,
		       enum process_state state, int64_t now_us);

/* Closes its channel and gives the slot back, whether or not it had a process. */
void process_free(struct processes *processes, struct process *process);

/* The slot of a pid; NULL if that is no child of ours. */
struct process *process_find(const struct processes *processes, pid_t pid);

/*
 * Watches a descriptor of the process, one at a time: its channel, or its connection.
 * Returns 0 or a negative errno of epoll_ctl(2).
 */
int process_watch(struct processes *processes, struct process *process, int fd,
		  uint32_t events, loop_ready *ready, void *owner);
void process_unwatch(struct processes *processes, struct process *process);

/* Closes the supervisor's end: an idle worker leaves, a busy one will, afterwards. */
void process_drop_channel(struct processes *processes, struct process *process);

/* Whether it still waits. Returns 0; -EPIPE: it has ended; -EAGAIN: it is stopped. */
int process_check_waiting(const struct process *process);

/* An idle process has left by itself: it gets no client, and is still to be collected. */
void process_lost(struct processes *processes, struct process *process, int64_t now_us);

/*
 * Sends a signal to the process alone, since its client is gone; deadline.h terminates it
 * and its group later.
 */
void process_hang_up(struct processes *processes, struct process *process, int number,
		     int64_t now_us);

/* Sends SIGTERM to it and its process group; deadline.h sends SIGKILL later. */
void process_terminate(struct processes *processes, struct process *process,
		       enum reason cause, int64_t now_us);

/* Sends SIGKILL to it and its process group. cause counts if there was none before. */
void process_kill(struct processes *processes, struct process *process,
		  enum reason cause, int64_t now_us);

/* Sends it to one in state KILLED once more. Returns 0 or a negative errno of kill(2). */
int process_kill_again(const struct processes *processes,
		       const struct process *process);

/* Kills every living process. */
void processes_kill(struct processes *processes, enum reason cause, int64_t now_us);

static inline bool processes_are_all_taken(const struct processes *processes)
{
	return processes->used == processes->max;
}

static inline unsigned process_index(const struct processes *processes,
				     const struct process *process)
{
	return (unsigned)(process - processes->at);
}

/* What the process tells of itself. */
static inline struct score_row *process_row(const struct processes *processes,
					    const struct process *process)
{
	return scoreboard_row(&processes->board, process_index(processes, process));
}

#endif
