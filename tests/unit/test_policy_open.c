#include "engine/admit/policy.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "check.h"
#include "peer.h"

#define DAY NUMBER_RATE_PERIOD_MAX_MS

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

static int open_policy(struct policy *policy, const struct prong_options *options,
		       struct why *why)
{
	*policy = (struct policy){ 0 };
	return policy_open(policy, options, 10, false, why);
}

static const char rate_counts[] =
	"rate-per-source: counts must be from 1 to 1000000, and the period from 1 ms to "
	"1 day";
static const char max_rate_counts[] =
	"rate: counts must be from 1 to 1000000, and the period from 1 ms to 1 day";
static const char ten_years[] =
	"rate-per-source: the burst is too large: at this rate it is regained only after "
	"over ten years";
static const char source_prefix[] =
	"source-prefix: at most 32 bits of IPv4 and 128 bits of IPv6";

static const struct {
	struct prong_options options;
	const char *says;
} bad[] = {
	{ { .rate_per_source = { 1000001, 1000, 1 } }, rate_counts },
	{ { .rate_per_source = { UINT32_MAX, 1000, 1 } }, rate_counts },
	{ { .rate_per_source = { 1, 1000, 1000001 } }, rate_counts },
	{ { .rate_per_source = { 1, 1000, UINT32_MAX } }, rate_counts },
	{ { .rate_per_source = { 1, 0, 1 } }, rate_counts },
	{ { .rate_per_source = { 1, -1, 1 } }, rate_counts },
	{ { .rate_per_source = { 0, 1000, 0 } }, rate_counts },
	{ { .rate_per_source = { 0, 0, 1 } }, rate_counts },
	{ { .rate_per_source = { 1, INT64_MIN, 1 } }, rate_counts },
	{ { .rate_per_source = { 1, DAY + 1, 1 } }, rate_counts },
	{ { .rate_per_source = { 1, INT64_MAX, 1 } }, rate_counts },
	{ { .rate_per_source = { 1, DAY, 3652 } }, ten_years },
	{ { .rate_per_source = { 1, DAY, 1000000 } }, ten_years },
	{ { .rate = { 1000001, 1000, 1 } }, max_rate_counts },
	{ { .rate = { 1, 1000, 1000001 } }, max_rate_counts },
	{ { .rate = { 1, 0, 0 } }, max_rate_counts },
	{ { .rate = { 1, DAY + 1, 0 } }, max_rate_counts },
	{ { .rate = { 1, DAY, 1000000 } }, "rate: the burst is too large" },
	{ { .source_prefix_ipv4 = 33 }, source_prefix },
	{ { .source_prefix_ipv4 = UINT32_MAX }, source_prefix },
	{ { .source_prefix_ipv6 = 129 }, source_prefix },
	{ { .allow = LIST("here") }, "allow: \"here\" is not an address" },
	{ { .deny = LIST("all", "") }, "deny: \"\" is not an address" },
	{ { .exempt = LIST("192.0.2.1/33") }, "exempt: \"192.0.2.1/33\": the prefix" },
	{ { .deny = LIST("192.0.2.1/24") }, "deny: \"192.0.2.1/24\" has bits set" },
	{ { .allow = LIST("192.0.2.0/24", "::1"), .deny = LIST("::2", "::1/128") },
	  "deny: \"::1/128\" is both allowed and denied" },
};

static void a_bad_option_is_told_in_words(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct why why = { "" };
		struct policy policy;

		print_message("# row %zu, \"%s\"\n", i, bad[i].says);
		assert_int_equal(open_policy(&policy, &bad[i].options, &why), -EINVAL);
		assert_int_equal(strncmp(why.text, bad[i].says, strlen(bad[i].says)),
				 0);
		assert_null(strchr(why.text, '\n'));
		/* prong_open() calls it after a failure. */
		policy_close(&policy);
	}
}

static const struct prong_options good[] = {
	{ 0 },
	{ .rate_per_source = { 1, 1, 1 } },
	{ .rate_per_source = { 1000000, 1, 1000000 } },
	{ .rate_per_source = { 1000000, DAY, 1000000 } },
	{ .rate_per_source = { 1, DAY, 3651 } },
	{ .rate = { 1000000, 1, 0 } },
	{ .rate = { 1, DAY, 3651 } },
	{ .source_prefix_ipv4 = 1, .source_prefix_ipv6 = 1 },
	{ .source_prefix_ipv4 = 32, .source_prefix_ipv6 = 128 },
	{ .max_per_source = UINT32_MAX },
	{ .allow = LIST("192.0.2.1"), .deny = LIST("192.0.2.2", "192.0.2.2") },
	{ .allow = LIST("192.0.2.1"), .exempt = LIST("192.0.2.1") },
	{ .deny = LIST("192.0.2.1"), .exempt = LIST("192.0.2.1") },
};

static void the_bounds_are_still_good(void **state)
{
	struct client client = { .fd = -1, .peer = peer_at("198.51.100.1") };

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		struct why why = { "" };
		struct policy policy;

		print_message("# row %zu\n", i);
		if (open_policy(&policy, &good[i], &why) < 0)
			fail_msg("%s", why.text);
		assert_true(policy.rate_per_source.interval_ns >= 0);
		assert_true(policy.rate_per_source.allowance_ns >= 0);
		if (good[i].allow == NULL)
			assert_int_equal(policy_judge(&policy, &client, 1),
					 REASON_NONE);
		policy_enter(&policy, &client, 1);
		policy_leave(&policy, &client, 1);
		policy_close(&policy);
	}
}

static void each_list_may_have_256_prefixes(void **state)
{
	struct why why = { "" };
	char texts[257][24];
	const char *list[258] = { NULL };
	struct prong_options options[] = {
		{ .allow = list },
		{ .deny = list },
		{ .exempt = list },
	};
	static const char *const says[] = {
		"allow: more than 256 prefixes are listed",
		"deny: more than 256 prefixes are listed",
		"exempt: more than 256 prefixes are listed",
	};
	static struct policy policy;

	(void)state;
	for (int i = 0; i < 257; i++)
		snprintf(texts[i], sizeof(texts[i]), "10.%d.%d.0/24", i / 256, i % 256);
	for (size_t k = 0; k < COUNT(options); k++) {
		for (int i = 0; i < 256; i++)
			list[i] = texts[i];
		list[256] = NULL;
		assert_int_equal(open_policy(&policy, &options[k], &why), 0);
		policy_close(&policy);
		list[256] = texts[256];
		assert_int_equal(open_policy(&policy, &options[k], &why), -EINVAL);
		assert_string_equal(why.text, says[k]);
		policy_close(&policy);
	}
}

/* Only a rate per source needs memory for sources that have left. */
static void as_much_is_remembered_as_the_limits_need(void **state)
{
	static const struct {
		struct prong_options options;
		bool counts;
		uint32_t places;
	} rows[] = {
		{ { 0 }, false, 0 },
		{ { .rate = { 1, 1000, 0 } }, false, 0 },
		{ { .source_prefix_ipv4 = 24 }, false, 0 },
		{ { .max_per_source = 1 }, true, 11 },
		{ { .rate_per_source = { 1, 1000, 0 } },
		  true,
		  11 + SOURCES_REMEMBERED },
		{ { .rate_per_source = { 1, 1000, 0 }, .max_per_source = 1 },
		  true,
		  11 + SOURCES_REMEMBERED },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct why why;
		struct policy policy;

		assert_int_equal(open_policy(&policy, &rows[i].options, &why), 0);
		assert_int_equal(policy.counts, rows[i].counts);
		assert_int_equal(policy.sources.max, rows[i].places);
		policy_close(&policy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_bad_option_is_told_in_words),
		promise(the_bounds_are_still_good),
		promise(each_list_may_have_256_prefixes),
		promise(as_much_is_remembered_as_the_limits_need),
	};

	return cmocka_run_group_tests_name("policy_open", tests, NULL, NULL);
}
