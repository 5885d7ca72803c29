/*
 * What each worker reports about itself: one cache line per slot, in memory that all
 * processes share. It is used for display and counters, and as a hint where to look
 * first. The supervisor copies numbers from it and takes no pid, index or length: a
 * worker that was broken into can write anything here.
 */
#ifndef ENGINE_SCOREBOARD_H
#define ENGINE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct score_row {
	_Alignas(64) _Atomic uint64_t bytes_in; /* received from the client */
	_Atomic uint64_t bytes_out;             /* taken by the kernel for the client */
	/*
	 * Why it could not serve: the errno, and the step of privileges.h that failed,
	 * if any.
	 */
	_Atomic int error;
	_Atomic int failed_step;
	_Atomic int forbidden_call; /* number + 1 of the call that was stopped */
	_Atomic int launched; /* set by a monitor: the program exists; monitor.c */
};

#define SCORE_ROWS 63

/*
 * One bit for each worker that is leaving; in one page with the rows, so that a worker
 * touches only one page.
 */
struct score_page {
	_Alignas(4096) _Atomic uint64_t leaving;
	struct score_row rows[SCORE_ROWS];
};

_Static_assert(sizeof(struct score_page) == 4096, "a page holds the rows of its marks");

struct scoreboard {
	struct score_page *pages;
	unsigned count; /* of rows */
};

/* The bit of a row. NULL: the row is in no scoreboard. */
struct score_mark {
	_Atomic uint64_t *leaving;
	uint64_t bit;
};

/* Returns 0 or -ENOMEM. Rows begin with zeros. */
int scoreboard_open(struct scoreboard *board, unsigned count);
void scoreboard_close(struct scoreboard *board);

/* The number of pages for this number of rows. */
static inline unsigned scoreboard_pages(unsigned rows)
{
	return (rows + SCORE_ROWS - 1) / SCORE_ROWS;
}

static inline struct score_row *scoreboard_row(const struct scoreboard *board,
					       unsigned index)
{
	return &board->pages[index / SCORE_ROWS].rows[index % SCORE_ROWS];
}

static inline struct score_mark scoreboard_mark(const struct scoreboard *board,
						unsigned index)
{
	return (struct score_mark){
		.leaving = &board->pages[index / SCORE_ROWS].leaving,
		.bit = UINT64_C(1) << index % SCORE_ROWS,
	};
}

/* For a worker, before it leaves: marks it as about to be reaped. */
static inline void score_leave(struct score_mark mark)
{
	if (mark.leaving != NULL)
		atomic_fetch_or_explicit(mark.leaving, mark.bit, memory_order_relaxed);
}

/* Only the row's worker adds, so load and store suffice: no locked instruction. */
static inline void score_add(_Atomic uint64_t *field, uint64_t n)
{
	uint64_t value = atomic_load_explicit(field, memory_order_relaxed);

	atomic_store_explicit(field, value + n, memory_order_relaxed);
}

static inline uint64_t score_read(const _Atomic uint64_t *field)
{
	return atomic_load_explicit(field, memory_order_relaxed);
}

/*
 * Reads memory that others can write, as a number that can still be added up and
 * printed.
 */
static inline uint64_t score_read_clamped(const _Atomic uint64_t *field)
{
	uint64_t value = score_read(field);

	return value < INT64_MAX ? value : INT64_MAX;
}

/* Adds such a number to a sum. */
static inline void score_sum(uint64_t *total, uint64_t n)
{
	*total = *total + n < INT64_MAX ? *total + n : INT64_MAX;
}

/* For a new connection: the supervisor calls it before the worker gets the client. */
static inline void score_begin(struct score_row *row)
{
	atomic_store_explicit(&row->bytes_in, 0, memory_order_relaxed);
	atomic_store_explicit(&row->bytes_out, 0, memory_order_relaxed);
}

/* For a new process. */
static inline void scoreboard_reset(const struct scoreboard *board, unsigned index)
{
	struct score_row *row = scoreboard_row(board, index);
	struct score_mark mark = scoreboard_mark(board, index);

	score_begin(row);
	atomic_store_explicit(&row->error, 0, memory_order_relaxed);
	atomic_store_explicit(&row->failed_step, 0, memory_order_relaxed);
	atomic_store_explicit(&row->forbidden_call, 0, memory_order_relaxed);
	atomic_store_explicit(&row->launched, 0, memory_order_relaxed);
	atomic_fetch_and_explicit(mark.leaving, ~mark.bit, memory_order_relaxed);
}

#endif
