/*
 * The memory that the first process and its workers share: workers write their figures
 * there, and the first process its orders. Owns two eventfds, by which one side wakes
 * the other.
 */
#ifndef PRONG_BENCH_BOARD_H
#define PRONG_BENCH_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "figures.h"

/*
 * A point at which workers wait for each other. When all have reached it the first
 * process opens the gate, and they go on at the same time.
 */
enum gate {
	GATE_START, /* ready to begin */
	GATE_OPENED /* keep and hold: all connections are open */
};

#define GATES 2

/* One worker's row. Only the worker writes its figures, as long as it lives. */
struct row {
	atomic_uint reached; /* how many gates the worker has reached */
	struct figures figures;
};

struct board {
	unsigned rows_count;
	int to_workers;   /* eventfd: there are new orders */
	int to_first;     /* eventfd: a worker has reached a gate */
	atomic_uint open; /* how many gates are open */
	atomic_bool stop; /* end now, even with connections in progress */
	atomic_uint_least64_t opened_at_ns[GATES]; /* nanoclock_now_ns() */
	struct row rows[];
};

/*
 * Makes a board for that many workers; the caller releases it with board_close().
 * Returns 0 or a negative errno of mmap(2) or eventfd(2).
 */
int board_open(struct board **out, unsigned workers);
void board_close(struct board *board);

/* For a worker: it has reached its next gate. */
void board_reach(struct board *board, struct row *row);

/* For a worker: whether it waits at a gate. */
bool board_waits(struct board *board, struct row *row);

/* For the first process: opens the next gate, or tells all to stop. */
void board_open_gate(struct board *board);
void board_stop(struct board *board);

#endif
