/* The monotonic clock, in nanoseconds: the load generator's times are short. */
#ifndef PRONG_BENCH_NANOCLOCK_H
#define PRONG_BENCH_NANOCLOCK_H

#include <stdint.h>
#include <time.h>

/* CLOCK_MONOTONIC in ns, as all times of the load generator; never goes back. */
static inline uint64_t nanoclock_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
