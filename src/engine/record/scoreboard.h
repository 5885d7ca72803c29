/*
 * What each worker tells of itself: one cache line a slot in memory that all of
 * them share. For display and counters only, and to know where to look first. The
 * supervisor copies numbers out of it and takes no pid, index or length from it: a
 * broken-in worker can write anything here.
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
	/* Why it could not serve: errno, and the step of privileges.h that failed, if any. */
	_Atomic int error;
	_Atomic int failed_step;
	_Atomic int forbidden_call; /* that the sandbox stopped: its number + 1 */
	_Atomic int launched; /* by a monitor: that there is a program; monitor.c */
};

#define SCORE_ROWS 63

/* With the rows, so that a worker touches one page: a bit for each that is leaving. */
struct score_page {
	_Alignas(4096) _Atomic uint64_t leaving;
	struct score_row rows[SCORE_ROWS];
};

_Static_assert(sizeof(struct score_page) == 4096, "a page holds the rows of its marks");

struct scoreboard {
	struct score_page *pages;
	unsigned count; /* of rows */
};

/* A row's bit. NULL: of no scoreboard. */
struct score_mark {
	_Atomic uint64_t *leaving;
	uint64_t bit;
};

/* Returns 0 or -ENOMEM. Rows begin with zeros. */
int scoreboard_open(struct scoreboard *board, unsigned count);
void scoreboard_close(struct scoreboard *board);

/* How many pages there are of so many rows. */
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

/* By a worker, before it leaves: it is to be collected soon. */
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

/* Of memory that others can write: a number that can still be added to and printed. */
static inline uint64_t score_read_clamped(const _Atomic uint64_t *field)
{
	uint64_t value = score_read(field);

	return value < INT64_MAX ? value : INT64_MAX;
}

/* And a sum of such numbers. */
static inline void score_sum(uint64_t *total, uint64_t n)
{
	*total = *total + n < INT64_MAX ? *total + n : INT64_MAX;
}

/* For a new connection; by the supervisor, before the worker has it. */
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
