/*
 * Limits how often a line of the log is written. There is no timer here; the caller
 * passes the time.
 */
#ifndef ENGINE_THROTTLE_H
#define ENGINE_THROTTLE_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Lets one line through per interval and counts the others. Zeroed: the next one
 * passes.
 */
struct throttle {
	int64_t next_us;
	uint64_t suppressed;
};

/*
 * Whether the line may be written now; if so, *suppressed is how many were not since
 * the last one.
 */
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
