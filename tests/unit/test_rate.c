#include "engine/admit/rate.h"

#include "check.h"

#define SECOND INT64_C(1000000000)

static struct rate rate_of(int64_t interval, int64_t burst)
{
	return (struct rate){ .interval_ns = interval,
			      .allowance_ns = interval * (burst - 1) };
}

static bool take(const struct rate *rate, int64_t *full_at_ns, int64_t now)
{
	if (!rate_allows(rate, *full_at_ns, now))
		return false;
	*full_at_ns = rate_take(rate, *full_at_ns, now);
	return true;
}

/* How many tokens can be taken at this moment. */
static int take_all(const struct rate *rate, int64_t *full_at_ns, int64_t now)
{
	int count = 0;

	while (count < 1000 && take(rate, full_at_ns, now))
		count++;
	return count;
}

static void a_burst_is_allowed_and_no_more(void **state)
{
	static const int bursts[] = { 1, 2, 3, 10, 999 };

	(void)state;
	for (size_t i = 0; i < COUNT(bursts); i++) {
		struct rate rate = rate_of(SECOND / 3, bursts[i]);
		int64_t full_at_ns = 0;

		assert_int_equal(take_all(&rate, &full_at_ns, 77 * SECOND), bursts[i]);
		assert_false(rate_allows(&rate, full_at_ns, 77 * SECOND));
	}
}

/* Clocks of machines may have started just now, or long ago. */
static void zeroed_state_is_a_full_bucket_at_any_time(void **state)
{
	static const int64_t times[] = { 0, 1, SECOND, INT64_C(400) * 86400 * SECOND };
	struct rate rate = rate_of(SECOND, 5);

	(void)state;
	for (size_t i = 0; i < COUNT(times); i++) {
		int64_t full_at_ns = 0;

		assert_int_equal(take_all(&rate, &full_at_ns, times[i]), 5);
	}
}

static void a_token_is_back_after_its_interval_to_the_nanosecond(void **state)
{
	struct rate rate = rate_of(SECOND / 7, 4);
	int64_t now = 5 * SECOND, full_at_ns = 0;

	(void)state;
	assert_int_equal(take_all(&rate, &full_at_ns, now), 4);
	for (int i = 1; i <= 20; i++) {
		now += rate.interval_ns;
		assert_int_equal(take_all(&rate, &full_at_ns, now - 1), 0);
		assert_int_equal(take_all(&rate, &full_at_ns, now), 1);
	}
	assert_int_equal(take_all(&rate, &full_at_ns, now + 3 * rate.interval_ns - 1),
			 2);
	assert_int_equal(take_all(&rate, &full_at_ns, now + 3 * rate.interval_ns), 1);
}

static void a_long_rest_gives_no_more_than_the_burst(void **state)
{
	static const int64_t rests[] = { 3, 4, 10, 1000, INT64_C(3600) * 24 * 365 };
	struct rate rate = rate_of(SECOND, 3);

	(void)state;
	for (size_t i = 0; i < COUNT(rests); i++) {
		int64_t full_at_ns = 0;

		assert_int_equal(take_all(&rate, &full_at_ns, SECOND), 3);
		assert_int_equal(
			take_all(&rate, &full_at_ns, SECOND + rests[i] * SECOND), 3);
	}
}

static void asking_in_vain_costs_nothing(void **state)
{
	struct rate rate = rate_of(SECOND, 1);
	int64_t full_at_ns = 0;

	(void)state;
	assert_true(take(&rate, &full_at_ns, SECOND));
	for (int64_t i = 0; i < 1000; i++)
		assert_false(take(&rate, &full_at_ns, SECOND + i * SECOND / 1000));
	assert_true(take(&rate, &full_at_ns, 2 * SECOND));
}

/* How many of count clients, one every step, are allowed. */
static int allowed_of(int count, const struct rate *rate, int64_t step)
{
	int64_t full_at_ns = 0;
	int allowed = 0;

	for (int i = 0; i < count; i++)
		allowed += take(rate, &full_at_ns, SECOND + i * step);
	return allowed;
}

static void who_keeps_to_the_rate_is_never_refused(void **state)
{
	static const int64_t intervals[] = { 1, 999, SECOND / 3, SECOND,
					     86400 * SECOND };

	(void)state;
	for (size_t i = 0; i < COUNT(intervals); i++) {
		struct rate strict = rate_of(intervals[i], 1),
			    loose = rate_of(intervals[i], 10);

		assert_int_equal(allowed_of(50000, &strict, intervals[i]), 50000);
		assert_int_equal(allowed_of(50000, &loose, intervals[i]), 50000);
	}
}

/* Of clients that come twice as often as allowed, half; and once the burst. */
static void at_twice_the_rate_half_are_allowed(void **state)
{
	struct rate strict = rate_of(SECOND, 1), loose = rate_of(SECOND, 10);

	(void)state;
	assert_int_equal(allowed_of(50000, &strict, SECOND / 2), 25000);
	assert_int_equal(allowed_of(50000, &loose, SECOND / 2), 25000 + 9);
	assert_int_equal(allowed_of(50000, &strict, SECOND / 10), 5000);
}

static void no_rate_allows_everything(void **state)
{
	struct rate none = { 0 };
	int64_t full_at_ns = 0;

	(void)state;
	assert_false(rate_is_set(&none));
	assert_int_equal(take_all(&none, &full_at_ns, 0), 1000);
	assert_int_equal(take_all(&none, &full_at_ns, SECOND), 1000);
}

static void its_clock_counts_nanoseconds(void **state)
{
	(void)state;
	assert_int_equal(rate_clock_ns(0), 0);
	assert_int_equal(rate_clock_ns(1), 1000);
	assert_int_equal(rate_clock_ns(1000000), SECOND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_burst_is_allowed_and_no_more),
		promise(zeroed_state_is_a_full_bucket_at_any_time),
		promise(a_token_is_back_after_its_interval_to_the_nanosecond),
		promise(a_long_rest_gives_no_more_than_the_burst),
		promise(asking_in_vain_costs_nothing),
		promise(who_keeps_to_the_rate_is_never_refused),
		promise(at_twice_the_rate_half_are_allowed),
		promise(no_rate_allows_everything),
		promise(its_clock_counts_nanoseconds),
	};

	return cmocka_run_group_tests_name("rate", tests, NULL, NULL);
}
