#include "base/number.h"

#include <errno.h>

#include "check.h"

#define UNTOUCHED 4711

static void numbers_are_read_strictly(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		int err;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 65535, 0, 0 },
		{ "1", 1, 1, 0, 1 },
		{ "65535", 0, 65535, 0, 65535 },
		{ "65536", 0, 65535, -ERANGE, 0 },
		{ "4", 5, 9, -ERANGE, 0 },
		{ "5", 5, 9, 0, 5 },
		{ "9", 5, 9, 0, 9 },
		{ "10", 5, 9, -ERANGE, 0 },
		{ "007", 0, 9, 0, 7 },
		{ "18446744073709551615", 0, UINT64_MAX, 0, UINT64_MAX },
		{ "18446744073709551616", 0, UINT64_MAX, -ERANGE, 0 },
		{ "99999999999999999999999999", 0, UINT64_MAX, -ERANGE, 0 },
		{ "", 0, 9, -EINVAL, 0 },
		{ " 1", 0, 9, -EINVAL, 0 },
		{ "1 ", 0, 9, -EINVAL, 0 },
		{ "\t1", 0, 9, -EINVAL, 0 },
		{ "1\n", 0, 9, -EINVAL, 0 },
		{ "+1", 0, 9, -EINVAL, 0 },
		{ "-1", 0, UINT64_MAX, -EINVAL, 0 },
		{ "-0", 0, 9, -EINVAL, 0 },
		{ "1.0", 0, 9, -EINVAL, 0 },
		{ "1e1", 0, 99, -EINVAL, 0 },
		{ "0x10", 0, 99, -EINVAL, 0 },
		{ "1,000", 0, 9999, -EINVAL, 0 },
		{ "x", 0, 9, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = UNTOUCHED;
		int err = number_parse(rows[i].text, rows[i].min, rows[i].max, &value);

		print_message("# \"%s\"\n", rows[i].text);
		assert_int_equal(err, rows[i].err);
		assert_int_equal(value, err == 0 ? rows[i].value : UNTOUCHED);
	}
}

static void sizes_may_end_in_a_power_of_1024(void **state)
{
	static const struct {
		const char *text;
		uint64_t min, max;
		int err;
		uint64_t value;
	} rows[] = {
		{ "0", 0, 9, 0, 0 },
		{ "64", 1, 64, 0, 64 },
		{ "1K", 1, 1024, 0, 1024 },
		{ "1K", 1, 1023, -ERANGE, 0 },
		{ "3M", 1, UINT64_MAX, 0, 3 << 20 },
		{ "2G", 1, UINT64_MAX, 0, UINT64_C(2) << 30 },
		{ "5T", 1, UINT64_MAX, 0, UINT64_C(5) << 40 },
		{ "16777215T", 1, UINT64_MAX, 0, UINT64_C(16777215) << 40 },
		{ "16777216T", 1, UINT64_MAX, -ERANGE, 0 },
		{ "0K", 1, 9, -ERANGE, 0 },
		{ "99999999999999999999K", 0, UINT64_MAX, -ERANGE, 0 },
		{ "", 0, 9, -EINVAL, 0 },
		{ "K", 0, 9, -EINVAL, 0 },
		{ "1k", 0, 9999, -EINVAL, 0 },
		{ "1KB", 0, 9999, -EINVAL, 0 },
		{ "1 K", 0, 9999, -EINVAL, 0 },
		{ "1.5K", 0, 9999, -EINVAL, 0 },
		{ "-1K", 0, UINT64_MAX, -EINVAL, 0 },
		{ "1P", 0, UINT64_MAX, -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		uint64_t value = UNTOUCHED;
		int err = number_parse_size(rows[i].text, rows[i].min, rows[i].max,
					    &value);

		print_message("# \"%s\"\n", rows[i].text);
		assert_int_equal(err, rows[i].err);
		assert_int_equal(value, err == 0 ? rows[i].value : UNTOUCHED);
	}
}

static void durations_are_a_number_and_a_unit(void **state)
{
	static const struct {
		const char *text;
		int err;
		int64_t milliseconds;
	} rows[] = {
		{ "0", 0, 0 },
		{ "0ms", 0, 0 },
		{ "0d", 0, 0 },
		{ "500ms", 0, 500 },
		{ "30s", 0, 30000 },
		{ "5m", 0, 300000 },
		{ "2h", 0, 7200000 },
		{ "1d", 0, 86400000 },
		{ "3650d", 0, NUMBER_DURATION_MAX_MS },
		{ "315360000000ms", 0, NUMBER_DURATION_MAX_MS },
		{ "315360000001ms", -ERANGE, 0 },
		{ "3651d", -ERANGE, 0 },
		{ "18446744073709551615d", -ERANGE, 0 },
		{ "18446744073709551616ms", -ERANGE, 0 },
		{ "", -EINVAL, 0 },
		{ "30", -EINVAL, 0 },
		{ "s", -EINVAL, 0 },
		{ "30 s", -EINVAL, 0 },
		{ " 30s", -EINVAL, 0 },
		{ "30s ", -EINVAL, 0 },
		{ "+30s", -EINVAL, 0 },
		{ "-30s", -EINVAL, 0 },
		{ "1.5s", -EINVAL, 0 },
		{ "30S", -EINVAL, 0 },
		{ "30sec", -EINVAL, 0 },
		{ "1h30m", -EINVAL, 0 },
		{ "1w", -EINVAL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		int64_t value = UNTOUCHED;
		int err = number_parse_duration(rows[i].text, &value);

		print_message("# \"%s\"\n", rows[i].text);
		assert_int_equal(err, rows[i].err);
		assert_int_equal(value, err == 0 ? rows[i].milliseconds : UNTOUCHED);
	}
}

static void rates_are_a_count_a_period_and_a_burst(void **state)
{
	static const struct {
		const char *text;
		struct number_rate rate;
	} rows[] = {
		{ "10/s", { 10, 1000, 10 } },
		{ "10/1s", { 10, 1000, 10 } },
		{ "30/1m", { 30, 60000, 30 } },
		{ "30/m", { 30, 60000, 30 } },
		{ "5/10s:20", { 5, 10000, 20 } },
		{ "5/s:1", { 5, 1000, 1 } },
		{ "007/010s:008", { 7, 10000, 8 } },
		{ "1/ms", { 1, 1, 1 } },
		{ "1/h", { 1, 3600000, 1 } },
		{ "1/d", { 1, NUMBER_RATE_PERIOD_MAX_MS, 1 } },
		{ "1/24h", { 1, NUMBER_RATE_PERIOD_MAX_MS, 1 } },
		{ "1/86400000ms", { 1, NUMBER_RATE_PERIOD_MAX_MS, 1 } },
		{ "1000000/ms", { NUMBER_RATE_MAX, 1, NUMBER_RATE_MAX } },
		{ "1/s:1000000", { 1, 1000, NUMBER_RATE_MAX } },
		{ "1/00000000000000000000000000001s", { 1, 1000, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct number_rate rate = { 0 };

		print_message("# \"%s\"\n", rows[i].text);
		assert_int_equal(number_parse_rate(rows[i].text, &rate), 0);
		assert_int_equal(rate.count, rows[i].rate.count);
		assert_int_equal(rate.period_ms, rows[i].rate.period_ms);
		assert_int_equal(rate.burst, rows[i].rate.burst);
	}
}

static const struct {
	const char *text;
	int err;
} bad_rates[] = {
	{ "", -EINVAL },
	{ "/", -EINVAL },
	{ "/s", -EINVAL },
	{ ":", -EINVAL },
	{ "10", -EINVAL },
	{ "10/", -EINVAL },
	{ "10s", -EINVAL },
	{ "10:20", -EINVAL },
	{ "10/:20", -EINVAL },
	{ "10/:", -EINVAL },
	{ "10/s:", -EINVAL },
	{ "10/s:x", -EINVAL },
	{ "10/s:5:5", -EINVAL },
	{ "10/s:5s", -EINVAL },
	{ "10/s/s", -EINVAL },
	{ "10//s", -EINVAL },
	{ "10/5", -EINVAL },
	{ "10/x", -EINVAL },
	{ "10/sec", -EINVAL },
	{ "10/S", -EINVAL },
	{ "10/1.5s", -EINVAL },
	{ "1.5/s", -EINVAL },
	{ "x/s", -EINVAL },
	{ "0x1/s", -EINVAL },
	{ "-1/s", -EINVAL },
	{ "+1/s", -EINVAL },
	{ "1/-1s", -EINVAL },
	{ "1/+1s", -EINVAL },
	{ "1/-s", -EINVAL },
	{ "1/s:-1", -EINVAL },
	{ "1/s:+1", -EINVAL },
	{ " 1/s", -EINVAL },
	{ "1 /s", -EINVAL },
	{ "1/ s", -EINVAL },
	{ "1/s ", -EINVAL },
	{ "1/1 s", -EINVAL },
	{ "1/s\n", -EINVAL },
	{ "1/s: 1", -EINVAL },
	{ "1/s:1 ", -EINVAL },
	{ "1/mmmmmmmmmmmmmmmmmmmmmmmmmmmmmm", -EINVAL },
	{ "1/mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm", -EINVAL },
	{ "1/mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm", -EINVAL },
	{ "1/000000000000000000000000000001s", -EINVAL },
	{ "1/0000000000000000000000000000001s", -EINVAL },
	{ "1/1111111111111111111111111111111111111111111111111111111111111111111111s",
	  -EINVAL },
	{ "0/s", -ERANGE },
	{ "0/s:1", -ERANGE },
	{ "1000001/s", -ERANGE },
	{ "1000001/s:1", -ERANGE },
	{ "4294967297/s", -ERANGE },
	{ "18446744073709551617/s", -ERANGE },
	{ "1/0", -ERANGE },
	{ "1/0s", -ERANGE },
	{ "1/25h", -ERANGE },
	{ "1/86400001ms", -ERANGE },
	{ "1/2d", -ERANGE },
	{ "1/3651d", -ERANGE },
	{ "1/18446744073709551617ms", -ERANGE },
	{ "1/s:0", -ERANGE },
	{ "1/s:1000001", -ERANGE },
	{ "1/s:4294967297", -ERANGE },
	{ "1/s:18446744073709551617", -ERANGE },
};

static void what_is_no_rate_is_refused_and_changes_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad_rates); i++) {
		struct number_rate rate = { 4711, 4712, 4713 };

		print_message("# \"%s\"\n", bad_rates[i].text);
		assert_int_equal(number_parse_rate(bad_rates[i].text, &rate),
				 bad_rates[i].err);
		assert_int_equal(rate.count, 4711);
		assert_int_equal(rate.period_ms, 4712);
		assert_int_equal(rate.burst, 4713);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(numbers_are_read_strictly),
		promise(sizes_may_end_in_a_power_of_1024),
		promise(durations_are_a_number_and_a_unit),
		promise(rates_are_a_count_a_period_and_a_burst),
		promise(what_is_no_rate_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
