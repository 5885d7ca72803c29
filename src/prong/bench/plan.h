/*
 * What a run is to do, and each worker's share of it.
 *
 * Whatever is counted is split so that the shares add up to the whole exactly.
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
	uint64_t count;       /* connections, or in keep round trips; or unbounded */
	uint64_t concurrency; /* open at once; in hold: all that are to be held */
	uint64_t under_way;   /* keep and hold: being opened or echoing at once */
	uint64_t bytes;       /* of each exchange; unbounded: until the time is over */
	double interval_ns;   /* between what is due; 0: as fast as it goes */
	uint64_t duration_ns; /* to begin things in, or to hold; 0: no limit of time */
	uint64_t timeout_ns;  /* without progress */
	bool wait;            /* hold: until a line on stdin */

	/* Of a share. Of what is due this worker does the index-th of each workers. */
	unsigned index, workers;
};

/* What worker index, of plan->workers, is to do. */
struct plan plan_share(const struct plan *plan, unsigned index);

#endif
