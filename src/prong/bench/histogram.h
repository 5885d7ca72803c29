/*
 * A histogram of durations from 1 µs to 1 h with three significant digits.
 *
 * Owns only the counts. It never allocates and never prints. One process may add to it
 * while another, which shares its memory, merges it.
 */
#ifndef PRONG_BENCH_HISTOGRAM_H
#define PRONG_BENCH_HISTOGRAM_H

#include <stddef.h>
#include <stdint.h>

/*
 * Log-linear: durations below 2048 ns have a bucket each; above, each power of two is
 * divided into 1024 buckets, so a bucket is never wider than 1/1024 of its value. One
 * hour is below 2^42 ns.
 */
#define HISTOGRAM_HALF_BITS 10
#define HISTOGRAM_TOP_BITS  42
#define HISTOGRAM_BUCKETS   ((HISTOGRAM_TOP_BITS - HISTOGRAM_HALF_BITS + 1) << 10)

struct histogram {
	uint64_t count;
	uint64_t max_ns; /* exact */
	uint64_t buckets[HISTOGRAM_BUCKETS];
};

/*
 * Counts one duration of ns nanoseconds; below 1 µs or above 1 h it counts as that
 * limit.
 */
void histogram_add(struct histogram *histogram, uint64_t ns);

/* Adds the counts of from; a duration that is added meanwhile may be missing. */
void histogram_merge(struct histogram *to, const struct histogram *from);

/*
 * The duration in ns that a share of the durations do not exceed (0.5: the median; 0 <
 * share <= 1), accurate to the width of a bucket; 0 if nothing was counted.
 */
uint64_t histogram_quantile_ns(const struct histogram *histogram, double share);

/* How many durations are in buckets that end at or before ns. */
uint64_t histogram_count_up_to(const struct histogram *histogram, uint64_t ns);

#endif
