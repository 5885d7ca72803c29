/*
 * The memory that the first process and its workers share: figures upwards, orders
 * downwards. Owns two eventfds, by which one side wakes the other.
 */
#ifndef PRONG_BENCH_BOARD_H
#define PRONG_BENCH_BOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include "figures.h"

/*
 * Where a worker waits for the others. When all are there the first process opens the
 * gate, and they go on at the same time.
 */
enum gate {
	GATE_START, /* ready to begin */
	GATE_OPENED /* keep and hold: all connections are open */
};

#define GATES 2

/* A worker's lines. The figures are its own to write, as long as it lives. */
struct row {
	atomic_uint reached; /* so many gates */
	struct figures figures;
};

struct board {
	unsigned rows_count;
	int to_workers;   /* eventfd: look at what is ordered */
	int to_first;     /* eventfd: look at who has reached a gate */
	atomic_uint open; /* so many gates are open */
	atomic_bool stop; /* end now, whatever is under way */
	atomic_uint_least64_t opened_at_ns[GATES]; /* nanoclock_now_ns() */
	struct row rows[];
};

/*
 * Make a board for so many workers; the caller gives it to board_close().
 * Returns 0 or a negative errno of mmap(2) or eventfd(2).
 */
int board_open(struct board **out, unsigned workers);
void board_close(struct board *board);

/* A worker's: it has come to its next gate. */
void board_reach(struct board *board, struct row *row);

/* A worker's: whether it waits at a gate. */
bool board_waits(struct board *board, struct row *row);

/* The first process's: open the next gate, or tell all to stop. */
void board_open_gate(struct board *board);
void board_stop(struct board *board);

#endif
