/*
 * What prong.h leaves opaque of a server: everything the supervisor knows. One
 * structure, no global state; its parts belong to the files named beside them.
 */
#ifndef ENGINE_SERVER_H
#define ENGINE_SERVER_H

#include <signal.h>

#include "engine/worker/accepting.h"
#include "base/listener.h"
#include "base/log.h"
#include "engine/program/environment.h"
#include "linger.h"
#include "engine/record/backoff.h"
#include "engine/record/throttle.h"
#include "notify.h"
#include "engine/admit/policy.h"
#include "engine/program/program.h"
#include "prong.h"
#include "engine/confine/privileges.h"
#include "engine/confine/sandbox.h"
#include "engine/record/scoreboard.h"
#include "process.h"
#include "engine/worker/worker.h"

#define LISTENERS_MAX 64

/* What an epoll event is about; the index is of the listener, slot or farewell. */
enum watch {
	WATCH_SIGNALS,
	WATCH_LISTENER,
	WATCH_QUEUE, /* of a listener from which workers accept */
	WATCH_CHANNEL,
	WATCH_SESSION,
	WATCH_LINGER,
	WATCH_LOG
};

/* signals.c */
#define SIGNALS_AT_ONCE 16

struct signals {
	int fd;                        /* of signalfd(2); -1: not taken */
	sigset_t saved_mask;           /* of the caller of prong_run() */
	struct sigaction saved[_NSIG]; /* dispositions, by number */
	bool child_exited;             /* at least one, since the last reaping */
	pid_t exited[SIGNALS_AT_ONCE]; /* those of them that SIGCHLD named */
	unsigned exited_count;
	unsigned stops;             /* TERM or INT not yet obeyed */
	int stop_signal;            /* which of them came */
	bool quit, totals, ignored; /* QUIT; USR1; HUP or USR2 */
};

/* admission.c */
struct admission {
	bool polled;           /* the listeners are in the epoll set */
	bool ready;            /* one of them may have a client */
	struct client held;    /* accepted, but no process could be made yet */
	struct backoff accept; /* after accept(2) failed */
	int error;             /* errno of its last failure */
	struct limit {
		bool full;       /* every process is at work now */
		int64_t since;   /* when it was said; 0: it is not said */
		int64_t left_at; /* when "limit left" may be said; CLOCK_NEVER */
		uint64_t times;  /* it was reached, since it was said */
	} limit;
};

/* dispatch.c */
struct dispatch {
	struct backoff fork;   /* after fork(2) or socketpair(2) failed */
	unsigned deferred;     /* rounds in which clients went before missing spares */
	struct backoff spares; /* after spares died without having served */
	int64_t refill_at;     /* a connection was just placed: no spare until then */
};

/* autoscale.c */
enum autoscale_state {
	AUTOSCALE_OFF,     /* the supervisor accepts, or it is stopping */
	AUTOSCALE_WATCHES, /* the listener is in the epoll set: nobody is known to wait */
	AUTOSCALE_WAITED, /* somebody did; look_at is for whether they still do */
	AUTOSCALE_RESTS   /* until look_at */
};

struct autoscale {
	unsigned wanted; /* processes that wait for connections, or accept them */
	bool full;       /* clients have waited too long, but there may be no more */
	enum autoscale_state state;
	int64_t look_at;
	/* When somebody was first seen to wait: */
	unsigned waiting;  /* so many did */
	uint64_t accepted; /* in all, before them */
	unsigned looks;    /* since then, at which they waited still */
	uint64_t busiest;  /* sessions at once, at the looks since the last shrink */
	int64_t shrink_at; /* CLOCK_NEVER while no more than spare are wanted */
};

/* reaper.c */
struct reaper {
	bool owes_look, owes_sweep; /* there was a SIGCHLD since the last one */
	int64_t look_at, sweep_at;  /* not before */
	unsigned page; /* of the scoreboard, where to look for marks next */
};

/* session.c */
struct sessions {
	int64_t look_at;                 /* for idle ones; CLOCK_NEVER */
	struct environment *environment; /* of the program being started; as below */
};

/* stop.c */
struct stop {
	bool asked;
	int64_t term_at, kill_at; /* CLOCK_NEVER: not to come */
};

/* Lines that could come often, each with a pace of its own; report.c. */
struct throttles {
	struct throttle accept, fork, exec, privileges, crash, spare, signal, totals;
	struct throttle refused[REASON_COUNT];
};

struct totals {
	uint64_t accepted;
	uint64_t closed[REASON_COUNT];
	uint64_t bytes_in, bytes_out;
	uint64_t processes; /* forked */
};

struct prong {
	struct settings settings;
	prong_handler *handler; /* NULL: program is run instead */
	void *arg;
	struct program *program;       /* on the heap, which children inherit */
	struct privileges *privileges; /* as well */
	struct sandbox sandbox;
	struct notify notify;
	pid_t pid; /* of the supervisor, for its children to check */

	struct listener listeners[LISTENERS_MAX];
	unsigned listener_count;
	struct processes processes;
	struct scoreboard board;
	struct tally *tallies; /* where workers accept for themselves; else NULL */
	struct log log;
	bool batch;      /* the scheduling policy was changed to SCHED_BATCH */
	bool rseq_ended; /* restartable sequences are not registered for now */
	int epoll_fd;
	int null_fd;       /* /dev/null */
	int reserve_fd;    /* closed to have one descriptor when there is none */
	int64_t looked_at; /* everything that had happened by then has been heard */
	int64_t first_full_look;
	unsigned full_looks; /* in a row, which may have left something unheard */
	bool calm;           /* the last look found nothing */
	int log_polled;      /* the log's descriptor in the epoll set; -1: none */

	struct signals signals;
	struct admission admission;
	struct dispatch dispatch;
	struct autoscale autoscale;
	struct reaper reaper;
	struct sessions sessions;
	struct policy policy;
	struct lingering lingering;
	struct stop stop;
	struct throttles throttles;
	struct totals totals;
};

/* All of them; INT64_MAX at most. */
static inline uint64_t totals_closed(const struct totals *totals)
{
	uint64_t closed = 0;

	for (int i = 0; i < REASON_COUNT; i++)
		score_sum(&closed, totals->closed[i]);
	return closed;
}

/* Those accepted that have not ended; none where a worker has written nonsense. */
static inline uint64_t totals_active(const struct totals *totals)
{
	uint64_t closed = totals_closed(totals);

	return totals->accepted > closed ? totals->accepted - closed : 0;
}

/* What slot's process tells of itself. */
static inline struct score_row *server_row(const struct prong *server,
					   const struct process *process)
{
	return scoreboard_row(&server->board,
			      process_index(&server->processes, process));
}

/* A new process takes slot's row. */
static inline void server_reset_row(const struct prong *server,
				    const struct process *process)
{
	scoreboard_reset(&server->board, process_index(&server->processes, process));
}

/* Adds fd to the epoll set, removes it; supervisor.c. Removing cannot fail. */
int server_watch(struct prong *server, int fd, uint32_t events, enum watch what,
		 unsigned index);
void server_unwatch(struct prong *server, int fd);

#endif
