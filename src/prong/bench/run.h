/*
 * One worker's run: its clients, how far it has come, and where it counts.
 *
 * Owns every descriptor and all memory of the run, got once at the start: nothing
 * is allocated for a connection.
 */
#ifndef PRONG_BENCH_RUN_H
#define PRONG_BENCH_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "board.h"
#include "chain.h"
#include "client.h"
#include "figures.h"
#include "pattern.h"
#include "plan.h"

#define RUN_BUFFER    (256 * 1024) /* bytes written or read at once at most */
#define RUN_SPARE_FDS 16           /* stdio, epoll, timer, and what was inherited */

struct run {
	const struct plan *plan;
	const struct mode *mode;
	struct board *board;
	struct row *row; /* ours on the board */
	struct figures *figures;
	struct origin origin;
	int epoll_fd;
	int timer_fd; /* with --rate, else -1 */

	struct client *clients; /* slots of them */
	size_t processes;
	struct client *idle; /* stack of the unused, linked by after */
	struct chain due;    /* those with a deadline, nearest first */
	struct chain held;   /* longest first */
	size_t in_step[STEP_COUNT];

	uint64_t total;                /* connections to begin */
	uint64_t started;              /* of them */
	uint64_t rounds_total, rounds; /* the same of round trips; keep only */
	unsigned budget;               /* connections that may yet begin in this turn */
	int stage;                     /* the mode's own */
	size_t cursor;                 /* the mode's own */
	uint64_t base_ns;              /* what is due is due from here; 0: not begun */
	uint64_t stop_at_ns;           /* begin nothing more from here on; 0: no such */
	uint64_t armed_ns;             /* when timer_fd goes off; 0 never */

	uint64_t in[PATTERN_WORDS(RUN_BUFFER)];
	uint64_t out[PATTERN_WORDS(RUN_BUFFER)];
};

/*
 * Make a run; the caller gives it to run_close(). The plan, a share of a whole one,
 * and the board must outlive it.
 * Returns 0 or a negative errno, and then *out is untouched.
 */
int run_open(struct run **out, const struct plan *plan, struct board *board);

/* Release all. run may be NULL. */
void run_close(struct run *run);

/* Connections that are not idle. */
size_t run_active(const struct run *run);

/* Whether all connections have been begun, and each is held or has failed. */
bool run_all_held(const struct run *run);

/*
 * Whether another connection can begin now. Only so many can in a turn of the loop: where
 * each fails at once there is always room for the next, and never an event to wait for.
 */
bool run_can_begin(const struct run *run);

/* Whether the run is to end now, whatever is under way. */
bool run_stopped(const struct run *run);

/* When the number-th of what this worker begins is due; with a rate. */
uint64_t run_due_ns(const struct run *run, uint64_t number);

/* Be woken at that time; with a rate. */
void run_set_timer(struct run *run, uint64_t when_ns);

/* Say that all connections are open, and wait at the gate for those of others. */
void run_opened(struct run *run);

/* The client's deadline is the timeout from now_ns; or it has none. */
void run_set_deadline(struct run *run, struct client *client, uint64_t now_ns);
void run_clear_deadline(struct run *run, struct client *client);

#endif
