/*
 * How often a line that could come often is written. Nothing here ticks: the caller
 * passes the time.
 */
#ifndef ENGINE_THROTTLE_H
#define ENGINE_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

/* Lets one through per interval and counts the others. Zeroed: the next may. */
struct throttle {
	int64_t next_us;
	uint64_t suppressed;
};

/* Whether it may be said now; *suppressed is then how many were not since the last. */
static inline bool throttle_allows(struct throttle *throttle, int64_t now_us,
				   int64_t interval_us, uint64_t *suppressed)
{
	if (now_us < throttle->next_us) {
		throttle->suppressed++;
		return false;
	}
	throttle->next_us = now_us + interval_us;
	*suppressed = throttle->suppressed;
	throttle->suppressed = 0;
	return true;
}

#endif
