#include "prong/bench/histogram.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

#define US   UINT64_C(1000)
#define HOUR UINT64_C(3600000000000)

static struct histogram *make(void)
{
	struct histogram *histogram = calloc(1, sizeof(*histogram));

	assert_non_null(histogram);
	return histogram;
}

/*
 * The next value on a way through the whole range, in steps of half a per cent and 1
 * ns.
 */
static uint64_t next(uint64_t ns)
{
	return ns + ns / 200 + 1;
}

static void three_digits_are_right_from_a_microsecond_to_an_hour(void **state)
{
	struct histogram *histogram = make();

	(void)state;
	for (uint64_t ns = US; ns <= HOUR; ns = next(ns)) {
		uint64_t found;

		memset(histogram, 0, sizeof(*histogram));
		histogram_add(histogram, ns);
		histogram_add(histogram, HOUR); /* or the maximum is the answer */
		found = histogram_quantile_ns(histogram, 0.5);
		assert_true(found >= ns);
		assert_true(found - ns <= ns / 1000);
	}
	free(histogram);
}

static void nothing_is_dropped_however_short_or_long(void **state)
{
	static const uint64_t times[] = { 0,        1,        US - 1,    US,
					  HOUR - 1, HOUR + 1, 10 * HOUR, UINT64_MAX };
	struct histogram *histogram = make();

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		histogram_add(histogram, times[i]);
		assert_int_equal(histogram->count, i + 1);
	}
	assert_int_equal(histogram_quantile_ns(histogram, 0.01), US);
	assert_int_equal(histogram_quantile_ns(histogram, 1), HOUR);
	assert_int_equal(histogram_count_up_to(histogram, UINT64_MAX), COUNT(times));
	free(histogram);
}

static void quantiles_are_those_of_the_sorted_times(void **state)
{
	static const struct {
		double share;
		uint64_t rank; /* rank among 1000 */
	} rows[] = {
		{ 0.0001, 1 },  { 0.001, 1 },     { 0.0011, 2 },
		{ 0.5, 500 },   { 0.9, 900 },     { 0.99, 990 },
		{ 0.999, 999 }, { 0.9991, 1000 }, { 1, 1000 },
	};
	struct histogram *histogram = make();

	(void)state;
	/* Not in sorted order: 7 has no factor in common with 1000. */
	for (uint64_t i = 0; i < 1000; i++)
		histogram_add(histogram, (i * 7 % 1000 + 1) * 10 * US);
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t exact = rows[i].rank * 10 * US;
		uint64_t found = histogram_quantile_ns(histogram, rows[i].share);

		assert_true(found >= exact);
		assert_true(found - exact <= exact / 1000);
	}
	assert_int_equal(histogram->max_ns, 10000 * US);
	assert_int_equal(histogram_quantile_ns(histogram, 1), 10000 * US);
	free(histogram);
}

static void of_nothing_the_quantile_is_zero(void **state)
{
	struct histogram *histogram = make();

	(void)state;
	assert_int_equal(histogram_quantile_ns(histogram, 0.5), 0);
	assert_int_equal(histogram_quantile_ns(histogram, 1), 0);
	assert_int_equal(histogram_count_up_to(histogram, UINT64_MAX), 0);
	free(histogram);
}

static void merged_ones_are_one_that_had_counted_it_all(void **state)
{
	struct histogram *parts[3] = { make(), make(), make() };
	struct histogram *whole = make();
	struct histogram *merged = make();
	size_t i = 0;

	(void)state;
	for (uint64_t ns = 1; ns < 2 * HOUR; ns = next(ns)) {
		histogram_add(parts[i++ % 2], ns); /* the third one stays empty */
		histogram_add(whole, ns);
	}
	for (i = 0; i < COUNT(parts); i++) {
		histogram_merge(merged, parts[i]);
		free(parts[i]);
	}
	assert_memory_equal(merged, whole, sizeof(*whole));
	free(whole);
	free(merged);
}

static void counts_up_to_a_time_never_go_down_and_end_with_all(void **state)
{
	struct histogram *histogram = make();
	uint64_t before = 0;

	(void)state;
	for (uint64_t ns = US; ns < HOUR; ns *= 3)
		histogram_add(histogram, ns);
	for (uint64_t ns = US; ns < HOUR; ns *= 2) {
		uint64_t count = histogram_count_up_to(histogram, ns);

		assert_true(count >= before);
		before = count;
	}
	assert_int_equal(histogram_count_up_to(histogram, US - 1), 0);
	assert_int_equal(histogram_count_up_to(histogram, US), 1);
	assert_int_equal(histogram_count_up_to(histogram, 2 * HOUR), histogram->count);
	free(histogram);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(three_digits_are_right_from_a_microsecond_to_an_hour),
		promise(nothing_is_dropped_however_short_or_long),
		promise(quantiles_are_those_of_the_sorted_times),
		promise(of_nothing_the_quantile_is_zero),
		promise(merged_ones_are_one_that_had_counted_it_all),
		promise(counts_up_to_a_time_never_go_down_and_end_with_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
