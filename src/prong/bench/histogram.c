/*
 * Owns the arithmetic of the buckets. It never allocates and never prints.
 */
#include "histogram.h"

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

/* Only one process writes; another may be reading. */
static void bump(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static uint64_t look(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static uint64_t within_bounds(uint64_t ns)
{
	if (ns < SHORTEST)
		return SHORTEST;
	return ns > LONGEST ? LONGEST : ns;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
	ns = within_bounds(ns);
	bump(&histogram->buckets[bucket_of(ns)]);
	bump(&histogram->count);
	if (ns > histogram->max)
		__atomic_store_n(&histogram->max, ns, __ATOMIC_RELAXED);
}

/* The count is made of the buckets, so that the two agree whatever comes meanwhile. */
void histogram_merge(struct histogram *to, const struct histogram *from)
{
	uint64_t max;

	if (look(&from->count) == 0)
		return; /* saves looking into pages that have never been written to */
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t count = look(&from->buckets[i]);

		to->buckets[i] += count;
		to->count += count;
	}
	max = look(&from->max);
	if (max > to->max)
		to->max = max;
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

uint64_t histogram_count_up_to(const struct histogram *histogram, uint64_t ns)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS && bucket_end(i) <= ns; i++)
		sum += histogram->buckets[i];
	return sum;
}
