/*
 * What a run must do, and each worker's share of it.
 *
 * Counts are split so that the shares add up exactly to the whole.
 */
#ifndef PRONG_BENCH_PLAN_H
#define PRONG_BENCH_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "origin.h"

#define PLAN_UNBOUNDED UINT64_MAX

struct mode;

struct plan {
	const struct mode *mode;
	struct address target;
	struct origin origin;
	uint64_t count;       /* connections; in keep, round trips; or unbounded */
	uint64_t concurrency; /* open at once; in hold, all that will be held */
	uint64_t under_way;   /* keep and hold: how many open or echo at once */
	uint64_t bytes;       /* of each exchange; unbounded: until the time is over */
	double interval_ns;   /* between two starts; 0: as fast as possible */
	uint64_t duration_ns; /* during which work begins, or is held; 0: no limit */
	uint64_t timeout_ns;  /* for a connection without progress */
	bool wait;            /* hold: until a line on stdin */

	/*
	 * Of a share: this worker does every workers-th start, beginning with the
	 * index-th.
	 */
	unsigned index, workers;
};

/* The share of worker index of plan->workers. */
struct plan plan_share(const struct plan *plan, unsigned index);

#endif
