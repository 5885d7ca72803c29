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
		{ "3650d", 0, NUMBER_DURATION_MAX },
		{ "315360000000ms", 0, NUMBER_DURATION_MAX },
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(numbers_are_read_strictly),
		promise(durations_are_a_number_and_a_unit),
	};

	return cmocka_run_group_tests_name("number", tests, NULL, NULL);
}
