/*
 * The supervisor's own table of its children, which it can trust: one slot per process,
 * taken before the fork and freed when the process has been reaped. Children do not
 * have the table in memory. Also sends the signals that end a process, and owns its
 * channel.
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
	PROCESS_STARTING,  /* a spare that has not reported yet that it waits */
	PROCESS_IDLE,      /* waits for a connection from the supervisor */
	PROCESS_BUSY,      /* serves a connection */
	PROCESS_ACCEPTING, /* takes connections from the queue itself */
	PROCESS_HUNG_UP,   /* was told that its client is gone; it may still finish */
	PROCESS_ENDING,    /* was told to end, or is about to be */
	PROCESS_KILLED,    /* SIGKILL was sent; only the kernel can delay its end */
	PROCESS_STATES
};

struct process {
	enum process_state state;
	int64_t since_us; /* when it entered this state */
	pid_t pid;
	int channel;         /* our end of its socket pair; -1: none, or closed */
	int watched;         /* its descriptor in the loop; -1: none */
	bool left_idle;      /* it was idle, and left without being told to */
	bool unkillable;     /* it survived SIGKILL, and that was logged */
	struct voice *voice; /* its standard error while that is read; NULL */
	unsigned vintage;    /* of the files from which a warm program was started */
	uid_t uid;           /* its own user, of a range; 0: none */
	enum reason
		end_cause; /* why the supervisor ended it; REASON_NONE: it did not */
	struct session session;
	struct watch watch;
	struct process *next, *prev; /* neighbours in the list of its state */
	struct process *same_hash;
};

/* In the order in which processes entered the state: the first is the oldest. */
struct process_list {
	struct process *first, *last;
	unsigned count;
};

struct processes {
	struct loop *loop;
	struct scoreboard board; /* a row for each slot */
	const struct group_calls *calls;
	uint64_t started; /* processes started so far */

	struct process *at;
	unsigned max;
	unsigned touched; /* at[touched] and beyond have never been used */
	unsigned used;    /* slots that are not free */
	struct process_list in[PROCESS_STATES];
	struct process **by_pid; /* chains, through same_hash */
	unsigned hash_mask;
	size_t memory_bytes;
};

/* Makes a table for max processes at once. Returns 0 or -ENOMEM. */
int processes_open(struct processes *processes, struct loop *loop, unsigned max);
void processes_close(struct processes *processes);

/* Takes a free slot, still without a process; NULL if all are taken. Resets its row. */
struct process *process_take(struct processes *processes);

/* Enters the pid of its process, in state STARTING, IDLE, BUSY or ACCEPTING. */
void process_occupy(struct processes *processes, struct process *process, pid_t pid,
		    enum process_state state, int64_t now_us);

/* Changes the state of a living process; the only function that does. */
void process_set_state(struct processes *processes, struct process *process,
		       enum process_state state, int64_t now_us);

/* Closes its channel and frees the slot, whether or not it had a process. */
void process_free(struct processes *processes, struct process *process);

/* The slot of a pid; NULL if it is not in the table. */
struct process *process_find(const struct processes *processes, pid_t pid);

/*
 * Watches one descriptor of the process at a time: its channel, or its connection.
 * Returns 0 or a negative errno of epoll_ctl(2).
 */
int process_watch(struct processes *processes, struct process *process, int fd,
		  uint32_t events, loop_ready *ready, void *owner);
void process_unwatch(struct processes *processes, struct process *process);

/*
 * Closes the supervisor's end: an idle worker leaves now, a busy one after its
 * connection.
 */
void process_drop_channel(struct processes *processes, struct process *process);

/* Whether it still waits. Returns 0; -EPIPE: it has ended; -EAGAIN: it is stopped. */
int process_check_waiting(const struct process *process);

/* An idle process has left by itself: gives it no more clients until it is reaped. */
void process_lost(struct processes *processes, struct process *process, int64_t now_us);

/*
 * Sends a signal to the process alone, since its client is gone; deadline.h ends it and
 * its group later.
 */
void process_hang_up(struct processes *processes, struct process *process, int number,
		     int64_t now_us);

/* Sends SIGTERM to it and its process group; deadline.h sends SIGKILL later. */
void process_terminate(struct processes *processes, struct process *process,
		       enum reason cause, int64_t now_us);

/*
 * Sends SIGKILL to it and its process group. cause is recorded if no cause was before.
 */
void process_kill(struct processes *processes, struct process *process,
		  enum reason cause, int64_t now_us);

/*
 * Sends SIGKILL again to a process in state KILLED. Returns 0 or a negative errno of
 * kill(2).
 */
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

/* What the process reports about itself. */
static inline struct score_row *process_row(const struct processes *processes,
					    const struct process *process)
{
	return scoreboard_row(&processes->board, process_index(processes, process));
}

#endif
