/*
 * When a call that failed may be tried again: pauses that double with each failure in a
 * row. Nothing here ticks: the caller passes the time.
 */
#ifndef ENGINE_BACKOFF_H
#define ENGINE_BACKOFF_H

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

#endif
