#include "prong/bench/plan.h"

#include <errno.h>

#include "check.h"

#define UNTOUCHED 4711

static void shares_add_up_to_the_whole(void **state)
{
	static const struct plan wholes[] = {
		{ .count = 10000, .concurrency = 16, .under_way = 256, .workers = 1 },
		{ .count = 10000, .concurrency = 16, .under_way = 256, .workers = 3 },
		{ .count = 10001, .concurrency = 7, .under_way = 7, .workers = 7 },
		{ .count = 3, .concurrency = 100000, .under_way = 256, .workers = 6 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(wholes); i++) {
		const struct plan *whole = &wholes[i];
		struct plan sum = { .count = 0 };

		for (unsigned index = 0; index < whole->workers; index++) {
			struct plan share = plan_share(whole, index);

			assert_int_equal(share.index, index);
			assert_int_equal(share.workers, whole->workers);
			assert_true(share.concurrency >= 1);
			assert_true(share.count <= whole->count / whole->workers + 1);
			sum.count += share.count;
			sum.concurrency += share.concurrency;
			sum.under_way += share.under_way;
		}
		assert_int_equal(sum.count, whole->count);
		assert_int_equal(sum.concurrency, whole->concurrency);
		assert_int_equal(sum.under_way, whole->under_way);
	}
}

static void what_has_no_bound_has_none_in_its_shares(void **state)
{
	struct plan whole = { .count = PLAN_UNBOUNDED, .concurrency = 4, .workers = 4 };

	(void)state;
	assert_true(plan_share(&whole, 3).count == PLAN_UNBOUNDED);
}

static void no_two_shares_have_an_address_in_common(void **state)
{
	struct origin whole;

	(void)state;
	for (unsigned workers = 1; workers <= 16; workers++) {
		uint32_t expected;

		assert_int_equal(origin_parse(&whole, "127.0.0.2/16"), 0);
		expected = whole.first;
		for (unsigned index = 0; index < workers; index++) {
			struct origin share = origin_share(&whole, index, workers);

			assert_int_equal(share.first, expected);
			assert_in_range(share.count, 16 / workers, 16 / workers + 1);
			expected += share.count;
		}
		assert_int_equal(expected, whole.first + 16);
	}
}

static void with_too_few_addresses_each_share_has_one(void **state)
{
	struct origin whole = { .first = 100, .count = 3 };

	(void)state;
	for (unsigned index = 0; index < 7; index++) {
		struct origin share = origin_share(&whole, index, 7);

		assert_int_equal(share.count, 1);
		assert_int_equal(share.first, 100 + index % 3);
	}
	whole.count = 0;
	assert_int_equal(origin_share(&whole, 2, 7).count, 0);
}

static void sources_are_an_address_and_a_count(void **state)
{
	static const struct {
		const char *text;
		int err;
		uint32_t first, count;
	} rows[] = {
		{ "127.0.0.2", 0, 0x7f000002, 1 },
		{ "127.0.0.2/200", 0, 0x7f000002, 200 },
		{ "127.0.0.2/1", 0, 0x7f000002, 1 },
		{ "0.0.0.0/16777216", 0, 0, 1 << 24 },
		{ "255.255.255.255/1", 0, 0xffffffff, 1 },
		{ "255.255.255.255/2", -EINVAL, 0, 0 },
		{ "127.0.0.2/0", -EINVAL, 0, 0 },
		{ "127.0.0.2/", -EINVAL, 0, 0 },
		{ "127.0.0.2/16777217", -EINVAL, 0, 0 },
		{ "127.0.0.2/-1", -EINVAL, 0, 0 },
		{ "127.0.0.2/x", -EINVAL, 0, 0 },
		{ "127.0.0.2 /2", -EINVAL, 0, 0 },
		{ "127.0.0", -EINVAL, 0, 0 },
		{ "/2", -EINVAL, 0, 0 },
		{ "", -EINVAL, 0, 0 },
		{ "::1", -EINVAL, 0, 0 },
		{ "localhost", -EINVAL, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct origin origin = { .first = UNTOUCHED, .count = UNTOUCHED };
		int err = origin_parse(&origin, rows[i].text);

		print_message("# \"%s\"\n", rows[i].text);
		assert_int_equal(err, rows[i].err);
		assert_int_equal(origin.first, err == 0 ? rows[i].first : UNTOUCHED);
		assert_int_equal(origin.count, err == 0 ? rows[i].count : UNTOUCHED);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(shares_add_up_to_the_whole),
		promise(what_has_no_bound_has_none_in_its_shares),
		promise(no_two_shares_have_an_address_in_common),
		promise(with_too_few_addresses_each_share_has_one),
		promise(sources_are_an_address_and_a_count),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
