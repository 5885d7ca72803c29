/*
 * A token bucket kept as one number: the time at which it will be full again, in
 * nanoseconds (the generic cell rate algorithm, ITU-T I.371, as a virtual scheduler). A
 * zeroed bucket is full, and no timer is needed.
 */
#ifndef ENGINE_RATE_H
#define ENGINE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	int64_t interval_ns;  /* time for one token to return; 0: no limit */
	int64_t allowance_ns; /* how far ahead full_at_ns may lie */
};

static inline int64_t rate_clock_ns(int64_t now_us)
{
	return now_us * 1000;
}

static inline bool rate_is_set(const struct rate *rate)
{
	return rate->interval_ns > 0;
}

/* Whether a token is left; now_ns is rate_clock_ns(). */
static inline bool rate_allows(const struct rate *rate, int64_t full_at_ns,
			       int64_t now_ns)
{
	return !rate_is_set(rate) || full_at_ns - now_ns <= rate->allowance_ns;
}

/* Takes one token. Returns the new full_at_ns. */
static inline int64_t rate_take(const struct rate *rate, int64_t full_at_ns,
				int64_t now_ns)
{
	return (full_at_ns > now_ns ? full_at_ns : now_ns) + rate->interval_ns;
}

#endif
