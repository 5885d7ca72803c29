#include "engine/record/backoff.h"
#include "engine/record/throttle.h"

#include "check.h"

static void pauses_double_up_to_a_most(void **state)
{
	static const int64_t pauses[] = {
		5000, 10000, 20000, 40000, 80000, 100000, 100000,
	};
	struct backoff backoff = { 0 };
	int64_t now = 1000000;

	(void)state;
	for (size_t i = 0; i < COUNT(pauses); i++) {
		backoff_failed(&backoff, now);
		assert_int_equal(backoff.until_us, now + pauses[i]);
		assert_true(backoff_waits(&backoff, now));
		assert_true(backoff_waits(&backoff, now + pauses[i] - 1));
		assert_false(backoff_waits(&backoff, now + pauses[i]));
		now += pauses[i];
	}
}

static void nothing_waits_before_a_failure(void **state)
{
	struct backoff backoff = { 0 };

	(void)state;
	assert_false(backoff_waits(&backoff, 0));
	assert_false(backoff_waits(&backoff, 1));
}

static void a_success_ends_the_pause_and_starts_small_again(void **state)
{
	struct backoff backoff = { 0 };

	(void)state;
	for (int i = 0; i < 10; i++)
		backoff_failed(&backoff, 0);
	backoff_succeeded(&backoff);
	assert_false(backoff_waits(&backoff, 1));
	backoff_failed(&backoff, 1);
	assert_int_equal(backoff.until_us, 1 + BACKOFF_FIRST_US);
}

static void one_passes_an_interval_and_the_others_are_counted(void **state)
{
	struct throttle throttle = { 0 };
	uint64_t suppressed = 99;

	(void)state;
	assert_true(throttle_allows(&throttle, 1000, 500, &suppressed));
	assert_int_equal(suppressed, 0);
	suppressed = 99;
	assert_false(throttle_allows(&throttle, 1000, 500, &suppressed));
	assert_false(throttle_allows(&throttle, 1499, 500, &suppressed));
	assert_int_equal(suppressed, 99);
	assert_true(throttle_allows(&throttle, 1500, 500, &suppressed));
	assert_int_equal(suppressed, 2);
	assert_true(throttle_allows(&throttle, 9000, 500, &suppressed));
	assert_int_equal(suppressed, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(pauses_double_up_to_a_most),
		promise(nothing_waits_before_a_failure),
		promise(a_success_ends_the_pause_and_starts_small_again),
		promise(one_passes_an_interval_and_the_others_are_counted),
	};

	return cmocka_run_group_tests_name("pace", tests, NULL, NULL);
}
