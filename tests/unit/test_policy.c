#include "engine/admit/policy.h"

#include <stdio.h>

#include "check.h"
#include "pair.h"
#include "peer.h"

#define SECOND INT64_C(1000000) /* in the unit of clock_now_us() */
#define START  (1000 * SECOND)
#define HOUR   3600000 /* as a rate's period */

#define LIST(...) ((const char *const[]){ __VA_ARGS__, NULL })

/* The most connections: one for each process, and one that is held. */
enum { MOST = 8 };

static const char *const nobody[] = { NULL };

static struct policy policy;

static void open_policy(const struct prong_options *options)
{
	struct why why = { "" };

	policy = (struct policy){ 0 };
	if (policy_open(&policy, options, MOST, false, &why) < 0)
		fail_msg("%s", why.text);
}

static struct client client_at(const char *host)
{
	return (struct client){ .fd = -1,
				.source = SOURCE_NONE,
				.peer = peer_at(host) };
}

static enum reason judge(const char *host, int64_t now)
{
	struct client client = client_at(host);

	return policy_judge(&policy, &client, now);
}

/* Enters, if the policy allows it. */
static enum reason come(struct client *client, const char *host, int64_t now)
{
	enum reason reason;

	*client = client_at(host);
	reason = policy_judge(&policy, client, now);
	if (reason == REASON_NONE)
		policy_enter(&policy, client, now);
	return reason;
}

/* Enters, and leaves at once. */
static enum reason visit(const char *host, int64_t now)
{
	struct client client;
	enum reason reason = come(&client, host, now);

	policy_leave(&policy, &client, now);
	return reason;
}

static void without_limits_everyone_may_come_and_nothing_is_counted(void **state)
{
	struct prong_options options = {
		.allow = nobody,
		.deny = nobody,
		.exempt = nobody,
	};
	struct client client;

	(void)state;
	open_policy(&options);
	assert_false(policy.counts);
	for (int i = 0; i < 10 * MOST; i++) {
		assert_int_equal(come(&client, "192.0.2.1", START), REASON_NONE);
		assert_int_equal(client.source, SOURCE_NONE);
	}
	policy_leave(&policy, &client, START);
	assert_int_equal(judge("2001:db8::1", START), REASON_NONE);
	client.peer = peer_unix();
	assert_int_equal(policy_judge(&policy, &client, START), REASON_NONE);
	policy_close(&policy);
}

/* The first client's neighbours fail all four checks, and later fewer and fewer. */
static void the_first_check_that_fails_is_told(void **state)
{
	struct prong_options options = {
		.deny = LIST("192.0.2.3"),
		.rate_per_source = { 1, HOUR, 0 },
		.rate = { 1, HOUR / 2, 0 },
		.max_per_source = 1,
		.source_prefix_ipv4 = 24,
	};
	struct client first, other;
	int64_t hour = START + 3600 * SECOND;

	(void)state;
	open_policy(&options);
	assert_int_equal(come(&first, "192.0.2.1", START), REASON_NONE);
	assert_int_equal(judge("192.0.2.3", START), REASON_REFUSED_DENIED);
	assert_int_equal(judge("192.0.2.2", START), REASON_REFUSED_RATE_PER_SOURCE);
	assert_int_equal(judge("198.51.100.1", START), REASON_REFUSED_RATE);
	assert_int_equal(judge("192.0.2.2", hour - 1), REASON_REFUSED_RATE_PER_SOURCE);
	assert_int_equal(come(&other, "198.51.100.1", hour - 1), REASON_NONE);
	assert_int_equal(judge("192.0.2.2", hour), REASON_REFUSED_RATE);
	hour += 3600 * SECOND;
	assert_int_equal(judge("192.0.2.3", hour), REASON_REFUSED_DENIED);
	assert_int_equal(judge("192.0.2.2", hour), REASON_REFUSED_MAX_PER_SOURCE);
	policy_leave(&policy, &first, hour);
	assert_int_equal(judge("192.0.2.2", hour), REASON_NONE);
	assert_int_equal(judge("192.0.2.3", hour), REASON_REFUSED_DENIED);
	policy_close(&policy);
}

static void refused_clients_count_nothing(void **state)
{
	struct prong_options options = {
		.deny = LIST("192.0.2.3"),
		.rate_per_source = { 2, HOUR, 0 },
		.rate = { 3, HOUR, 0 },
		.max_per_source = 1,
	};
	static const char *const hosts[] = { "192.0.2.1", "192.0.2.2", "192.0.2.3",
					     "192.0.2.4" };
	struct client first, client;
	int64_t full_at_ns, all_full_at_ns;

	(void)state;
	open_policy(&options);
	assert_int_equal(come(&first, "192.0.2.1", START), REASON_NONE);
	assert_int_equal(visit("192.0.2.2", START), REASON_NONE);
	assert_int_equal(visit("192.0.2.2", START), REASON_NONE);
	full_at_ns = policy.sources.at[first.source].full_at_ns;
	all_full_at_ns = policy.full_at_ns;
	for (int i = 0; i < 1000; i++) {
		const char *host = hosts[i % 4];

		assert_int_not_equal(come(&client, host, START), REASON_NONE);
		policy_leave(&policy, &client, START);
	}
	assert_int_equal(policy.full_at_ns, all_full_at_ns);
	assert_int_equal(policy.sources.at[first.source].full_at_ns, full_at_ns);
	assert_int_equal(policy_connections(&policy, &first), 1);
	assert_int_equal(policy.sources.connected, 1);
	assert_int_equal(policy.sources.touched, 2);
	policy_leave(&policy, &first, START);
	policy_close(&policy);
}

static const struct {
	struct prong_options options;
	bool in[4]; /* 192.0.2.1 192.0.2.9 198.51.100.1 2001:db8::1 */
} lists[] = {
	{ { .allow = LIST("192.0.2.0/24") }, { true, true, false, false } },
	{ { .deny = LIST("192.0.2.0/24") }, { false, false, true, true } },
	{ { .allow = LIST("192.0.2.0/24"), .deny = LIST("192.0.2.9") },
	  { true, false, true, true } },
	{ { .allow = LIST("192.0.2.9"), .deny = LIST("192.0.2.0/24") },
	  { false, true, true, true } },
	{ { .allow = LIST("192.0.2.9"), .deny = LIST("all") },
	  { false, true, false, false } },
	{ { .allow = LIST("all"), .deny = LIST("192.0.2.9") },
	  { true, false, true, true } },
	{ { .allow = LIST("0.0.0.0/0") }, { true, true, true, false } },
	{ { .allow = LIST("::/0") }, { false, false, false, true } },
	{ { .allow = LIST("192.0.2.1"), .deny = nobody },
	  { true, false, false, false } },
	{ { .allow = nobody, .deny = LIST("192.0.2.1") }, { false, true, true, true } },
	{ { .deny = LIST("all"), .exempt = LIST("all") }, { false } },
};

static void who_is_denied_follows_from_the_lists(void **state)
{
	static const char *const hosts[] = { "192.0.2.1", "192.0.2.9", "198.51.100.1",
					     "2001:db8::1" };

	(void)state;
	for (size_t i = 0; i < COUNT(lists); i++) {
		open_policy(&lists[i].options);
		for (size_t k = 0; k < COUNT(hosts); k++) {
			print_message("# row %zu, %s\n", i, hosts[k]);
			assert_int_equal(judge(hosts[k], START),
					 lists[i].in[k] ? REASON_NONE
							: REASON_REFUSED_DENIED);
		}
		policy_close(&policy);
	}
}

static void exempt_clients_meet_no_limit_and_use_up_none(void **state)
{
	struct prong_options options = {
		.exempt = LIST("192.0.2.1", "2001:db8::/32"),
		.rate_per_source = { 1, HOUR, 0 },
		.rate = { 1, HOUR, 0 },
		.max_per_source = 1,
		.source_prefix_ipv4 = 24, /* the other one is the same source */
	};
	struct client exempt[MOST], other;

	(void)state;
	open_policy(&options);
	for (unsigned i = 0; i < MOST; i++) {
		const char *host = i < 4 ? "192.0.2.1" : "2001:db8::1";

		assert_int_equal(come(&exempt[i], host, START), REASON_NONE);
		assert_int_equal(policy_connections(&policy, &exempt[i]), i % 4 + 1);
	}
	assert_int_equal(judge("::ffff:192.0.2.1", START), REASON_NONE);
	assert_int_equal(policy.full_at_ns, 0);
	assert_int_equal(come(&other, "192.0.2.2", START), REASON_NONE);
	assert_int_equal(judge("198.51.100.1", START), REASON_REFUSED_RATE);
	assert_int_equal(judge("192.0.2.1", START), REASON_NONE);
	for (unsigned i = 0; i < MOST; i++)
		policy_leave(&policy, &exempt[i], START);
	/* The exempt ones leave nothing to remember, but the other one does. */
	assert_int_equal(policy.sources.connected, 1);
	assert_int_equal(policy.sources.oldest, SOURCE_NONE);
	policy_leave(&policy, &other, START);
	assert_int_not_equal(policy.sources.oldest, SOURCE_NONE);
	policy_close(&policy);
}

static void a_rate_is_regained_over_time_and_not_by_leaving(void **state)
{
	struct prong_options options = { .rate_per_source = { 2, 1000, 3 } };
	static const int64_t starts[] = { 0, START };

	(void)state;
	for (size_t i = 0; i < COUNT(starts); i++) {
		int64_t now = starts[i];

		open_policy(&options);
		for (int k = 0; k < 3; k++)
			assert_int_equal(visit("192.0.2.1", now), REASON_NONE);
		assert_int_equal(visit("192.0.2.1", now),
				 REASON_REFUSED_RATE_PER_SOURCE);
		assert_int_equal(visit("192.0.2.2", now), REASON_NONE);
		now += SECOND / 2;
		assert_int_equal(visit("192.0.2.1", now - 1),
				 REASON_REFUSED_RATE_PER_SOURCE);
		assert_int_equal(visit("192.0.2.1", now), REASON_NONE);
		assert_int_equal(visit("192.0.2.1", now),
				 REASON_REFUSED_RATE_PER_SOURCE);
		now += 1000 * SECOND;
		for (int k = 0; k < 3; k++)
			assert_int_equal(visit("192.0.2.1", now), REASON_NONE);
		assert_int_equal(visit("192.0.2.1", now),
				 REASON_REFUSED_RATE_PER_SOURCE);
		policy_close(&policy);
	}
}

static void who_leaves_with_a_whole_rate_is_not_remembered(void **state)
{
	struct prong_options options = { .rate_per_source = { 1, 1000, 0 } };
	struct client early, late;

	(void)state;
	open_policy(&options);
	assert_int_equal(come(&early, "192.0.2.1", START), REASON_NONE);
	assert_int_equal(come(&late, "192.0.2.2", START), REASON_NONE);
	policy_leave(&policy, &late, START + SECOND);
	assert_int_equal(policy.sources.oldest, SOURCE_NONE);
	policy_leave(&policy, &early, START + SECOND - 1);
	assert_int_not_equal(policy.sources.oldest, SOURCE_NONE);
	policy_close(&policy);
}

static void without_a_burst_the_count_is_it(void **state)
{
	struct prong_options options = { .rate_per_source = { 5, 1000, 0 } };
	int64_t fifth = SECOND / 5;

	(void)state;
	open_policy(&options);
	for (int i = 0; i < 5; i++)
		assert_int_equal(visit("192.0.2.1", START), REASON_NONE);
	assert_int_equal(visit("192.0.2.1", START), REASON_REFUSED_RATE_PER_SOURCE);
	assert_int_equal(visit("192.0.2.1", START + fifth - 1),
			 REASON_REFUSED_RATE_PER_SOURCE);
	assert_int_equal(visit("192.0.2.1", START + fifth), REASON_NONE);
	policy_close(&policy);
}

static void the_max_rate_is_for_all_sources_together(void **state)
{
	struct prong_options options = { .rate = { 10, 1000, 4 } };
	static const char *const hosts[] = { "192.0.2.1", "192.0.2.2", "2001:db8::1",
					     "::1" };

	(void)state;
	open_policy(&options);
	assert_false(policy.counts);
	for (size_t i = 0; i < COUNT(hosts); i++)
		assert_int_equal(visit(hosts[i], START), REASON_NONE);
	assert_int_equal(visit("192.0.2.5", START), REASON_REFUSED_RATE);
	assert_int_equal(visit("192.0.2.5", START + SECOND / 10), REASON_NONE);
	assert_int_equal(visit("192.0.2.6", START + SECOND / 10), REASON_REFUSED_RATE);
	policy_close(&policy);
}

static void each_source_has_so_many_connections(void **state)
{
	struct prong_options options = { .max_per_source = 2 };
	struct client one[2], other;

	(void)state;
	open_policy(&options);
	assert_int_equal(come(&one[0], "192.0.2.1", START), REASON_NONE);
	assert_int_equal(policy_connections(&policy, &one[0]), 1);
	assert_int_equal(come(&one[1], "::ffff:192.0.2.1", START), REASON_NONE);
	assert_int_equal(policy_connections(&policy, &one[0]), 2);
	assert_int_equal(judge("192.0.2.1", START), REASON_REFUSED_MAX_PER_SOURCE);
	assert_int_equal(come(&other, "192.0.2.2", START), REASON_NONE);
	policy_leave(&policy, &one[0], START);
	assert_int_equal(policy_connections(&policy, &one[1]), 1);
	assert_int_equal(come(&one[0], "192.0.2.1", START), REASON_NONE);
	assert_int_equal(judge("192.0.2.1", START), REASON_REFUSED_MAX_PER_SOURCE);
	policy_close(&policy);
}

static void a_source_is_as_long_as_its_prefix(void **state)
{
	static const struct {
		unsigned ipv4_bits, ipv6_bits;
		const char *first, *second;
		bool same;
	} rows[] = {
		{ 0, 0, "192.0.2.0", "192.0.2.1", false },
		{ 32, 0, "192.0.2.0", "192.0.2.1", false },
		{ 24, 0, "192.0.2.0", "192.0.2.255", true },
		{ 24, 0, "192.0.2.0", "192.0.3.0", false },
		{ 1, 0, "128.0.0.0", "255.255.255.255", true },
		{ 0, 0, "2001:db8::1", "2001:db8::ffff:0:0:1", true },
		{ 0, 0, "2001:db8::1", "2001:db8:0:1::1", false },
		{ 0, 48, "2001:db8::1", "2001:db8:0:ffff::1", true },
		{ 0, 48, "2001:db8::1", "2001:db8:1::1", false },
		{ 0, 128, "2001:db8::1", "2001:db8::2", false },
		{ 0, 1, "::1", "7fff::1", true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prong_options options = {
			.max_per_source = 1,
			.source_prefix_ipv4 = rows[i].ipv4_bits,
			.source_prefix_ipv6 = rows[i].ipv6_bits,
		};
		struct client client;

		print_message("# %s, %s\n", rows[i].first, rows[i].second);
		open_policy(&options);
		assert_int_equal(come(&client, rows[i].first, START), REASON_NONE);
		assert_int_equal(judge(rows[i].second, START),
				 rows[i].same ? REASON_REFUSED_MAX_PER_SOURCE
					      : REASON_NONE);
		policy_close(&policy);
	}
}

static void no_list_is_about_unix_clients(void **state)
{
	static const char *const lists_of_one[] = { "all", "192.0.2.1" };
	struct client client = { .fd = -1, .peer = peer_unix() };

	(void)state;
	for (size_t i = 0; i < COUNT(lists_of_one); i++) {
		struct prong_options allow = { .allow = LIST(lists_of_one[i]) };
		struct prong_options deny = { .deny = LIST(lists_of_one[i]) };

		open_policy(&allow);
		assert_int_equal(policy_judge(&policy, &client, START), REASON_NONE);
		policy_close(&policy);
		open_policy(&deny);
		assert_int_equal(policy_judge(&policy, &client, START), REASON_NONE);
		policy_close(&policy);
	}
}

static void unix_clients_are_limited_by_user_and_never_exempt(void **state)
{
	struct prong_options options = {
		.exempt = LIST("all"),
		.rate_per_source = { 2, HOUR, 0 },
		.max_per_source = 1,
	};
	struct pair pair = pair_unix();
	struct client client = { .fd = pair.server, .peer = peer_unix() };
	struct client again = client;

	(void)state;
	open_policy(&options);
	assert_int_equal(policy_judge(&policy, &client, START), REASON_NONE);
	policy_enter(&policy, &client, START);
	assert_int_equal(policy_connections(&policy, &client), 1);
	assert_int_equal(policy_judge(&policy, &again, START),
			 REASON_REFUSED_MAX_PER_SOURCE);
	policy_leave(&policy, &client, START);
	assert_int_equal(policy_judge(&policy, &again, START), REASON_NONE);
	policy_enter(&policy, &again, START);
	policy_leave(&policy, &again, START);
	assert_int_equal(policy_judge(&policy, &client, START),
			 REASON_REFUSED_RATE_PER_SOURCE);
	policy_close(&policy);
	pair_close(&pair);
}

static void leaving_twice_is_leaving_once(void **state)
{
	struct prong_options options = { .max_per_source = 3 };
	struct client one, two, never = client_at("192.0.2.1");

	(void)state;
	open_policy(&options);
	come(&one, "192.0.2.1", START);
	come(&two, "192.0.2.1", START);
	for (int i = 0; i < 3; i++) {
		policy_leave(&policy, &one, START);
		policy_leave(&policy, &never, START);
		assert_int_equal(one.source, SOURCE_NONE);
		assert_int_equal(policy_connections(&policy, &two), 1);
	}
	policy_leave(&policy, &two, START);
	assert_int_equal(policy.sources.connected, 0);
	policy_close(&policy);
}

/* Every process serves another source, and one client is held; repeatedly. */
static void every_count_is_back_at_zero(void **state)
{
	struct prong_options options = { .max_per_source = 1 };
	struct client clients[MOST + 1];

	(void)state;
	open_policy(&options);
	for (int round = 0; round < 20; round++) {
		for (int i = 0; i <= MOST; i++) {
			char host[32];

			snprintf(host, sizeof(host), "10.0.%d.%d", round, i);
			assert_int_equal(come(&clients[i], host, START), REASON_NONE);
		}
		assert_int_equal(policy.sources.connected, MOST + 1);
		for (int i = MOST; i >= 0; i--)
			policy_leave(&policy, &clients[i], START);
		assert_int_equal(policy.sources.connected, 0);
	}
	for (uint32_t i = 0; i <= policy.sources.mask; i++)
		assert_int_equal(policy.sources.buckets[i], 0);
	assert_int_equal(policy.sources.touched, MOST + 1);
	policy_close(&policy);
}

/* A program is told the number of connections of its source, so they are counted. */
static void connections_are_counted_where_that_is_asked_for(void **state)
{
	struct prong_options options = { 0 };
	struct client clients[3];
	struct why why;

	(void)state;
	policy = (struct policy){ 0 };
	assert_int_equal(policy_open(&policy, &options, 3, true, &why), 0);
	for (unsigned i = 0; i < COUNT(clients); i++) {
		assert_int_equal(come(&clients[i], "192.0.2.1", START), REASON_NONE);
		assert_int_equal(policy_connections(&policy, &clients[i]), i + 1);
	}
	policy_close(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(without_limits_everyone_may_come_and_nothing_is_counted),
		promise(the_first_check_that_fails_is_told),
		promise(refused_clients_count_nothing),
		promise(who_is_denied_follows_from_the_lists),
		promise(exempt_clients_meet_no_limit_and_use_up_none),
		promise(a_rate_is_regained_over_time_and_not_by_leaving),
		promise(who_leaves_with_a_whole_rate_is_not_remembered),
		promise(without_a_burst_the_count_is_it),
		promise(the_max_rate_is_for_all_sources_together),
		promise(each_source_has_so_many_connections),
		promise(a_source_is_as_long_as_its_prefix),
		promise(no_list_is_about_unix_clients),
		promise(unix_clients_are_limited_by_user_and_never_exempt),
		promise(leaving_twice_is_leaving_once),
		promise(every_count_is_back_at_zero),
		promise(connections_are_counted_where_that_is_asked_for),
	};

	return cmocka_run_group_tests_name("policy", tests, NULL, NULL);
}
