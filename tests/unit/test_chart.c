#include "prong/bench/chart.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "prong/bench/quantity.h"

#define US   UINT64_C(1000)
#define HOUR UINT64_C(3600000000000)

/* Every row begins where the previous one ends, and everything counted is in a row. */
static void expect_whole(const struct histogram *histogram)
{
	struct chart_row rows[CHART_ROWS_MAX];
	size_t count = chart_rows(rows, histogram);
	uint64_t sum = 0;

	assert_in_range(count, 1, CHART_ROWS_MAX);
	for (size_t i = 0; i < count; i++) {
		assert_true(rows[i].from_ns < rows[i].to_ns);
		if (i > 0)
			assert_int_equal(rows[i].from_ns, rows[i - 1].to_ns);
		sum += rows[i].count;
	}
	assert_int_equal(sum, histogram->count);
	assert_true(rows[0].from_ns <= US || rows[count - 1].count > 0);
	assert_true(histogram->max_ns <= rows[count - 1].to_ns);
}

static void rows_hold_all_that_was_counted_however_wide_the_range(void **state)
{
	struct histogram *histogram = calloc(1, sizeof(*histogram));

	(void)state;
	assert_non_null(histogram);
	for (uint64_t low = US; low <= HOUR; low += low - low / 5) {
		for (uint64_t high = low; high <= HOUR; high += high - high / 5) {
			memset(histogram, 0, sizeof(*histogram));
			histogram_add(histogram, low);
			histogram_add(histogram, high);
			expect_whole(histogram);
		}
	}
	free(histogram);
}

static void nothing_counted_makes_no_row(void **state)
{
	struct histogram *histogram = calloc(1, sizeof(*histogram));
	struct chart_row rows[CHART_ROWS_MAX];

	(void)state;
	assert_non_null(histogram);
	assert_int_equal(chart_rows(rows, histogram), 0);
	free(histogram);
}

static void times_are_written_with_three_digits(void **state)
{
	static const struct {
		uint64_t ns;
		const char *text;
	} rows[] = {
		{ 1000, "1.00 us" },      { 1234, "1.23 us" },
		{ 12345, "12.3 us" },     { 123456, "123 us" },
		{ 999499, "999 us" },     { 999600, "1.00 ms" },
		{ 9996000, "10.0 ms" },   { 99960000, "100 ms" },
		{ 1234567890, "1.23 s" }, { UINT64_C(61000000000), "61.0 s" },
		{ HOUR, "3600 s" },
	};
	char text[QUANTITY_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(quantity_time(text, rows[i].ns), rows[i].text);
}

static void sizes_are_written_in_powers_of_1024(void **state)
{
	char text[QUANTITY_MAX];

	(void)state;
	assert_string_equal(quantity_bytes(text, 0), "0 B");
	assert_string_equal(quantity_bytes(text, 1023), "1023 B");
	assert_string_equal(quantity_bytes(text, 1024), "1.00 KiB");
	assert_string_equal(quantity_bytes(text, 64 << 20), "64.0 MiB");
	assert_string_equal(quantity_bytes(text, 0x1p50), "1024 TiB");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(rows_hold_all_that_was_counted_however_wide_the_range),
		promise(nothing_counted_makes_no_row),
		promise(times_are_written_with_three_digits),
		promise(sizes_are_written_in_powers_of_1024),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
