/*
 * What each worker tells of itself: one cache line a slot in memory that all of
 * them share. For display and counters only. The supervisor copies numbers out of
 * it and takes no pid, index or length from it: a broken-in worker can write
 * anything here.
 */
#ifndef ENGINE_SCOREBOARD_H
#define ENGINE_SCOREBOARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct score_row {
	_Alignas(64) _Atomic uint64_t bytes_in; /* received from the client */
	_Atomic uint64_t bytes_out;             /* taken by the kernel for the client */
	/* Why it could not serve: errno, and the step of rights.h that failed, if any. */
	_Atomic int error;
	_Atomic int failed_step;
	_Atomic int forbidden_call; /* that the sandbox stopped: its number + 1 */
	_Atomic bool program_ended; /* what is left is an attendant's cleaning up */
};

struct scoreboard {
	struct score_row *rows;
	unsigned count;
};

/* Returns 0 or -ENOMEM. Rows begin with zeros. */
int scoreboard_open(struct scoreboard *board, unsigned count);
void scoreboard_close(struct scoreboard *board);

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

/* For a new connection; by the supervisor, before the worker has it. */
static inline void score_begin(struct score_row *row)
{
	atomic_store_explicit(&row->bytes_in, 0, memory_order_relaxed);
	atomic_store_explicit(&row->bytes_out, 0, memory_order_relaxed);
}

/* For a new process. */
static inline void score_reset(struct score_row *row)
{
	score_begin(row);
	atomic_store_explicit(&row->error, 0, memory_order_relaxed);
	atomic_store_explicit(&row->failed_step, 0, memory_order_relaxed);
	atomic_store_explicit(&row->forbidden_call, 0, memory_order_relaxed);
	atomic_store_explicit(&row->program_ended, false, memory_order_relaxed);
}

#endif
