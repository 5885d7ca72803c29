/* The counts of a server since its start. */
#ifndef ENGINE_TOTALS_H
#define ENGINE_TOTALS_H

#include <stdint.h>

#include "engine/record/reason.h"
#include "engine/record/scoreboard.h"

struct totals {
	uint64_t accepted;
	uint64_t closed[REASON_COUNT];
	uint64_t bytes_in, bytes_out;
};

/* All connections that have ended; at most INT64_MAX. */
static inline uint64_t totals_closed(const struct totals *totals)
{
	uint64_t closed = 0;

	for (int i = 0; i < REASON_COUNT; i++)
		score_sum(&closed, totals->closed[i]);
	return closed;
}

/*
 * Accepted connections that have not ended; 0 if a worker has written impossible
 * counts.
 */
static inline uint64_t totals_active(const struct totals *totals)
{
	uint64_t closed = totals_closed(totals);

	return totals->accepted > closed ? totals->accepted - closed : 0;
}

#endif
