/*
 * How often a thing may be tried again, and how often it may be said. Both sleep
 * on deadlines: nothing here ticks.
 */
#ifndef ENGINE_PACE_H
#define ENGINE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_FIRST 5000   /* microseconds */
#define BACKOFF_MOST  100000 /* so that what recovers is used within 100 ms */

/* Pauses that double with each failure in a row. Zeroed: no pause. */
struct backoff {
	int64_t pause;
	int64_t until;
};

static inline void backoff_failed(struct backoff *backoff, int64_t now)
{
	int64_t next = backoff->pause == 0 ? BACKOFF_FIRST : 2 * backoff->pause;

	backoff->pause = next < BACKOFF_MOST ? next : BACKOFF_MOST;
	backoff->until = now + backoff->pause;
}

static inline void backoff_succeeded(struct backoff *backoff)
{
	backoff->pause = 0;
	backoff->until = 0;
}

static inline bool backoff_waits(const struct backoff *backoff, int64_t now)
{
	return now < backoff->until;
}

/* Lets one through per interval and counts the others. Zeroed: the next may. */
struct throttle {
	int64_t next;
	uint64_t left_out;
};

/* Whether it may be said now; *left_out is then how many were not since the last. */
static inline bool throttle_allows(struct throttle *throttle, int64_t now,
				   int64_t interval, uint64_t *left_out)
{
	if (now < throttle->next) {
		throttle->left_out++;
		return false;
	}
	throttle->next = now + interval;
	*left_out = throttle->left_out;
	throttle->left_out = 0;
	return true;
}

#endif
