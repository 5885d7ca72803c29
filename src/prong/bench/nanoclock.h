/*
 * The monotonic clock, in nanoseconds, since the load generator measures short times.
 */
#ifndef PRONG_BENCH_NANOCLOCK_H
#define PRONG_BENCH_NANOCLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in ns; never goes back. All times of the load generator use it. */
static inline uint64_t nanoclock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
