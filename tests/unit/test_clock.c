#include "base/clock.h"

#include "check.h"

static void the_clock_never_goes_back(void **state)
{
	int64_t last = clock_now_us();

	(void)state;
	for (int i = 0; i < 1000; i++) {
		int64_t now = clock_now_us();

		assert_true(now >= last);
		last = now;
	}
}

static void milliseconds_become_microseconds(void **state)
{
	(void)state;
	assert_int_equal(clock_us_from_ms(0), 0);
	assert_int_equal(clock_us_from_ms(1), 1000);
	assert_int_equal(clock_us_from_ms(INT64_C(315360000000)),
			 INT64_C(315360000000000));
}

static void timeouts_never_wake_before_the_deadline(void **state)
{
	static const struct {
		int64_t deadline, now;
		int timeout;
	} rows[] = {
		{ CLOCK_NEVER, 0, -1 },
		{ CLOCK_NEVER, CLOCK_NEVER, -1 },
		{ 5000, 5000, 0 },
		{ 4999, 5000, 0 },
		{ 0, 5000, 0 },
		{ 5001, 5000, 1 },
		{ 5999, 5000, 1 },
		{ 6000, 5000, 1 },
		{ 6001, 5000, 2 },
		{ INT64_C(1000) * INT_MAX, 0, INT_MAX },
		{ INT64_C(1000) * INT_MAX + 1, 0, INT_MAX },
		{ CLOCK_NEVER - 1000, 0, INT_MAX },
		{ CLOCK_NEVER - 1, 0, INT_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		print_message("# row %zu\n", i);
		assert_int_equal(clock_timeout_ms(rows[i].deadline, rows[i].now),
				 rows[i].timeout);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(the_clock_never_goes_back),
		promise(milliseconds_become_microseconds),
		promise(timeouts_never_wake_before_the_deadline),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
