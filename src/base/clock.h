/*
 * The monotonic clock, in microseconds: deadlines and durations never depend on
 * the wall clock (clock_gettime(2)). Only log lines show the time of day.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#define CLOCK_NEVER INT64_MAX

/* Microseconds since an arbitrary start; never goes back. */
static inline int64_t clock_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static inline int64_t clock_us_from_ms(int64_t ms)
{
	return ms * 1000;
}

/* The earliest of count deadlines; CLOCK_NEVER if all are CLOCK_NEVER. */
static inline int64_t clock_first(const int64_t *deadlines_us, size_t count)
{
	int64_t first_us = CLOCK_NEVER;

	for (size_t i = 0; i < count; i++)
		if (deadlines_us[i] < first_us)
			first_us = deadlines_us[i];
	return first_us;
}

/*
 * The timeout with which poll(2) or epoll_wait(2) wakes at deadline_us and not earlier:
 * in milliseconds, rounded up; 0 if the deadline has passed; -1 for CLOCK_NEVER.
 */
static inline int clock_timeout_ms(int64_t deadline_us, int64_t now_us)
{
	int64_t left_us;

	if (deadline_us == CLOCK_NEVER)
		return -1;
	if (deadline_us <= now_us)
		return 0;
	left_us = deadline_us - now_us;
	if (left_us > INT64_C(1000) * INT_MAX)
		return INT_MAX;
	return (int)((left_us + 999) / 1000);
}

#endif
