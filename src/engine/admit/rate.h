/*
 * A token bucket that is one number: the time at which it will be full again, in
 * nanoseconds (the generic cell rate algorithm, ITU-T I.371, as a virtual scheduler).
 * Zeroed state is a full bucket, and nothing needs to tick.
 */
#ifndef ENGINE_RATE_H
#define ENGINE_RATE_H

#include <stdbool.h>
#include <stdint.h>

struct rate {
	int64_t interval;  /* for one token to come; nanoseconds; 0: no limit */
	int64_t allowance; /* how far full_at may lie ahead when a token is taken */
};

static inline int64_t rate_clock(int64_t microseconds)
{
	return microseconds * 1000;
}

static inline bool rate_is_set(const struct rate *rate)
{
	return rate->interval > 0;
}

/* Whether a token is left; now is rate_clock(). */
static inline bool rate_allows(const struct rate *rate, int64_t full_at, int64_t now)
{
	return !rate_is_set(rate) || full_at - now <= rate->allowance;
}

/* Takes one. Returns the new full_at. */
static inline int64_t rate_take(const struct rate *rate, int64_t full_at, int64_t now)
{
	return (full_at > now ? full_at : now) + rate->interval;
}

#endif
