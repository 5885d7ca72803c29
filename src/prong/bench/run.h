/*
 * One worker's run: its clients, its progress, and its counts.
 *
 * Owns every descriptor and all memory of the run, allocated once at the start: nothing
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

#define RUN_BUFFER    (256 * 1024) /* at most, bytes written or read at once */
#define RUN_SPARE_FDS 16           /* stdio, epoll, timer, and inherited ones */

struct run {
	const struct plan *plan;
	const struct mode *mode;
	struct board *board;
	struct row *row; /* our row of the board */
	struct figures *figures;
	struct origin origin;
	int epoll_fd;
	int timer_fd; /* with --rate, else -1 */

	struct client *clients; /* slots of them */
	size_t processes;
	struct client *idle; /* stack of unused clients, linked by after */
	struct chain due;    /* those with a deadline, nearest first */
	struct chain held;   /* longest first */
	size_t in_step[STEP_COUNT];

	uint64_t total;                /* connections to begin in all */
	uint64_t started;              /* connections begun so far */
	uint64_t rounds_total, rounds; /* the same for round trips; only keep */
	unsigned budget;               /* connections that may yet begin in this turn */
	int stage;                     /* used by the mode */
	size_t cursor;                 /* used by the mode */
	uint64_t base_ns;              /* the start of the schedule; 0: not begun */
	uint64_t stop_at_ns;           /* when nothing more may begin; 0: never */
	uint64_t armed_ns;             /* when timer_fd expires; 0: never */

	uint64_t in[PATTERN_WORDS(RUN_BUFFER)];
	uint64_t out[PATTERN_WORDS(RUN_BUFFER)];
};

/*
 * Makes a run; the caller releases it with run_close(). The plan, a share of a whole
 * one, and the board must outlive it. Returns 0, or a negative errno with *out
 * untouched.
 */
int run_open(struct run **out, const struct plan *plan, struct board *board);

/* Releases everything. run may be NULL. */
void run_close(struct run *run);

/* The number of connections that are not idle. */
size_t run_active(const struct run *run);

/* Whether all connections have been begun, and each is held or has failed. */
bool run_all_held(const struct run *run);

/*
 * Whether another connection can begin now. The number per turn of the loop is limited:
 * if each one failed at once there would always be room for the next, and never an
 * event to wait for.
 */
bool run_can_begin(const struct run *run);

/* Whether the run must end now, even with connections in progress. */
bool run_stopped(const struct run *run);

/* With a rate: when the number-th start of this worker is due. */
uint64_t run_due_ns(const struct run *run, uint64_t number);

/* With a rate: sets the time to be woken. */
void run_set_timer(struct run *run, uint64_t when_ns);

/*
 * Reports that all connections are open, and waits at the gate for those of other
 * workers.
 */
void run_opened(struct run *run);

/* Sets the client's deadline to the timeout from now_ns, or removes it. */
void run_set_deadline(struct run *run, struct client *client, uint64_t now_ns);
void run_clear_deadline(struct run *run, struct client *client);

#endif
