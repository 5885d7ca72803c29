/*
 * Owns the arithmetic of the buckets. It never allocates and never prints.
 */
#include "histogram.h"

#define SHORTEST_NS UINT64_C(1000)          /* 1 µs */
#define LONGEST_NS  UINT64_C(3600000000000) /* 1 h */

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
static uint64_t bucket_end_ns(size_t bucket)
{
	size_t half = (size_t)1 << HISTOGRAM_HALF_BITS;
	size_t shift = bucket < 2 * half ? 0 : bucket / half - 1;
	uint64_t first_ns = (uint64_t)(bucket - shift * half) << shift;

	return first_ns + ((UINT64_C(1) << shift) - 1);
}

/* Only one process writes this; another may be reading it. */
static void bump(uint64_t *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static uint64_t look(const uint64_t *counter)
{
	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

static uint64_t within_bounds_ns(uint64_t ns)
{
	if (ns < SHORTEST_NS)
		return SHORTEST_NS;
	return ns > LONGEST_NS ? LONGEST_NS : ns;
}

void histogram_add(struct histogram *histogram, uint64_t ns)
{
	ns = within_bounds_ns(ns);
	bump(&histogram->buckets[bucket_of(ns)]);
	bump(&histogram->count);
	if (ns > histogram->max_ns)
		__atomic_store_n(&histogram->max_ns, ns, __ATOMIC_RELAXED);
}

/*
 * Adds up the count from the buckets, so that the two agree even if from changes
 * meanwhile.
 */
void histogram_merge(struct histogram *to, const struct histogram *from)
{
	uint64_t max_ns;

	if (look(&from->count) == 0)
		return; /* does not touch pages that were never written */
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		uint64_t count = look(&from->buckets[i]);

		to->buckets[i] += count;
		to->count += count;
	}
	max_ns = look(&from->max_ns);
	if (max_ns > to->max_ns)
		to->max_ns = max_ns;
}

uint64_t histogram_quantile_ns(const struct histogram *histogram, double share)
{
	double wanted = share * (double)histogram->count;
	uint64_t rank = (uint64_t)wanted;
	uint64_t seen = 0;

	if ((double)rank < wanted)
		rank++;
	for (size_t i = 0; i < HISTOGRAM_BUCKETS; i++) {
		seen += histogram->buckets[i];
		if (seen > 0 && seen >= rank) {
			uint64_t end_ns = bucket_end_ns(i);

			return end_ns < histogram->max_ns ? end_ns : histogram->max_ns;
		}
	}
	return histogram->max_ns;
}

uint64_t histogram_count_up_to(const struct histogram *histogram, uint64_t ns)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < HISTOGRAM_BUCKETS && bucket_end_ns(i) <= ns; i++)
		sum += histogram->buckets[i];
	return sum;
}
