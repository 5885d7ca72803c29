/*
 * Owns the arithmetic of the buckets. It never allocates and never prints.
 */
#include "histogram.h"

#include <stddef.h>

#define SHORTEST UINT64_C(1000)          /* 1 µs in ns */
#define LONGEST  UINT64_C(3600000000000) /* 1 h in ns */

static unsigned shift_of(uint64_t ns)
{
	unsigned top = 63U - (unsigned)__builtin_clzll(ns | 1);

	return top <= HISTOGRAM_HALF_BITS ? 0 : top - HISTOGRAM_HALF_BITS;
}

static size_t bucket_of(uint64_t ns)
{
	unsigned shift = shift_of(ns);

	return ((size_t)shift << HISTOGRAM_HALF_BITS) + (size_t)(ns >> shift);
}

/* The largest duration that falls into the bucket. */
static uint64_t bucket_end(size_t bucket)
{
	size_t half = (size_t)1 << HISTOGRAM_HALF_BITS;
	size_t shift = bucket < 2 * half ? 0 : bucket / half - 1;
	uint64_t first = (uint64_t)(bucket - shift * half) << shift;

	return first + ((UINT64_C(1) << shift) - 1);
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
	if (ns < SHORTEST)
		ns = SHORTEST;
	if (ns > LONGEST)
		ns = LONGEST;
	histogram->count++;
	histogram->buckets[bucket_of(ns)]++;
	if (ns > histogram->max)
		histogram->max = ns;
}

uint64_t histogram_quantile(const struct histogram *histogram, double share)
{
	double wanted = share * (double)histogram->count;
	uint64_t rank = (uint64_t)wanted;
	uint64_t seen = 0;

	if ((double)rank < wanted)
		rank++;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen > 0 && seen >= rank) {
			uint64_t end = bucket_end(i);

			return end < histogram->max ? end : histogram->max;
		}
	}
	return histogram->max;
}
