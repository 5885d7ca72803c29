/*
 * When a failed call may be tried again: pauses double with each failure in a row.
 * There is no timer here; the caller passes the time.
 */
#ifndef ENGINE_BACKOFF_H
#define ENGINE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

#define BACKOFF_FIRST_US 5000
#define BACKOFF_MOST_US  100000 /* a resource is used within 100 ms of its return */

/* Pauses that double with each failure in a row. Zeroed: no pause. */
struct backoff {
	int64_t pause_us;
	int64_t until_us;
};

static inline void backoff_failed(struct backoff *backoff, int64_t now_us)
{
	int64_t next_us =
		backoff->pause_us == 0 ? BACKOFF_FIRST_US : 2 * backoff->pause_us;

	backoff->pause_us = next_us < BACKOFF_MOST_US ? next_us : BACKOFF_MOST_US;
	backoff->until_us = now_us + backoff->pause_us;
}

static inline void backoff_succeeded(struct backoff *backoff)
{
	backoff->pause_us = 0;
	backoff->until_us = 0;
}

static inline bool backoff_waits(const struct backoff *backoff, int64_t now_us)
{
	return now_us < backoff->until_us;
}

#endif
