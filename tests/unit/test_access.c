#include "engine/admit/access.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "peer.h"

/* "+prefix" allows, "-prefix" denies. */
static int add(struct access *access, const char *rule, struct why *why)
{
	const char *const texts[] = { rule + 1, NULL };

	return access_add(access, texts, rule[0] == '+', why);
}

static void must_add(struct access *access, const char *rule)
{
	struct why why = { "" };

	if (add(access, rule, &why) < 0)
		fail_msg("%s", why.text);
}

static bool allows(const struct access *access, const char *host)
{
	struct address address = peer_at(host);

	return access_allows(access, &address);
}

/* Calls check() after the rules were added, for every order. */
static void in_every_order(struct access *access, const char *const *rules,
			   unsigned used, void (*check)(const struct access *access))
{
	bool complete = true;

	for (unsigned i = 0; rules[i] != NULL; i++) {
		struct access longer = *access;

		if (used & 1U << i)
			continue;
		complete = false;
		must_add(&longer, rules[i]);
		in_every_order(&longer, rules, used | 1U << i, check);
	}
	if (complete)
		check(access);
}

static void the_longest_decides(const struct access *access)
{
	static const struct {
		const char *host;
		bool allowed;
	} rows[] = {
		{ "192.0.2.1", true },       { "10.0.0.1", false },
		{ "10.255.0.1", false },     { "10.1.0.1", true },
		{ "10.1.2.1", false },       { "10.1.2.3", true },
		{ "::ffff:10.1.2.3", true }, { "::ffff:10.1.2.4", false },
		{ "2001:db8::1", true },
	};

	assert_int_equal(access->count, 5);
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(allows(access, rows[i].host), rows[i].allowed);
}

static void the_longest_prefix_decides_in_whatever_order_they_come(void **state)
{
	static const char *const rules[] = { "+all",         "-10.0.0.0/8",
					     "+10.1.0.0/16", "-10.1.2.0/24",
					     "+10.1.2.3",    NULL };
	struct access access = { 0 };

	(void)state;
	in_every_order(&access, rules, 0, the_longest_decides);
}

static void all_is_last(const struct access *access)
{
	assert_int_equal(access->count, 5);
	assert_true(allows(access, "192.0.2.1"));
	assert_false(allows(access, "128.0.2.1"));
	assert_false(allows(access, "2001:db8::1"));
	assert_true(allows(access, "8000::1"));
}

static void only_ipv4_is_denied(const struct access *access)
{
	assert_false(allows(access, "192.0.2.1"));
	assert_true(allows(access, "2001:db8::1"));
}

static void all_is_shorter_than_both_families(void **state)
{
	static const char *const rules[] = { "-all",         "+0.0.0.0/0", "-::/0",
					     "-128.0.0.0/2", "+8000::/1",  NULL };
	static const char *const two[] = { "+all", "-0.0.0.0/0", NULL };
	struct access access = { 0 };

	(void)state;
	in_every_order(&access, rules, 0, all_is_last);
	in_every_order(&access, two, 0, only_ipv4_is_denied);
}

static void nothing_about_one_family_is_about_the_other(const struct access *access)
{
	assert_int_equal(access->count, 4);
	assert_true(allows(access, "10.1.2.3"));
	assert_false(allows(access, "11.1.2.3"));
	assert_false(allows(access, "a00::1"));
	assert_true(allows(access, "b00::1"));
}

static void families_are_apart(void **state)
{
	static const char *const rules[] = { "+10.0.0.0/8", "-a00::/8", "-11.0.0.0/8",
					     "+b00::/8", NULL };
	struct access access = { 0 };

	(void)state;
	in_every_order(&access, rules, 0, nothing_about_one_family_is_about_the_other);
	must_add(&access, "+0.0.0.0/0");
	assert_true(allows(&access, "192.0.2.1"));
	assert_false(allows(&access, "2001:db8::1"));
	must_add(&access, "+::/0");
	assert_true(allows(&access, "2001:db8::1"));
}

static void whom_no_rule_holds_is_as_otherwise_says(void **state)
{
	static const bool either[] = { false, true };
	struct address unnamed = peer_unix();

	(void)state;
	for (size_t i = 0; i < COUNT(either); i++) {
		struct access access = { .otherwise = either[i] };

		assert_int_equal(allows(&access, "192.0.2.1"), either[i]);
		must_add(&access, either[i] ? "-10.0.0.0/8" : "+10.0.0.0/8");
		assert_int_equal(allows(&access, "192.0.2.1"), either[i]);
		assert_int_equal(allows(&access, "2001:db8::1"), either[i]);
		assert_int_equal(allows(&access, "10.1.2.3"), !either[i]);
		must_add(&access, either[i] ? "-all" : "+all");
		assert_int_equal(access_allows(&access, &unnamed), either[i]);
	}
}

static void the_same_rule_twice_is_one(void **state)
{
	static const char *const rows[][2] = {
		{ "+all", "+all" },
		{ "+10.0.0.0/8", "+10.0.0.0/8" },
		{ "-10.0.0.0/8", "-::ffff:10.0.0.0/104" },
		{ "-192.0.2.1", "-192.0.2.1/32" },
		{ "+2001:db8::", "+2001:DB8:0::0/128" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct access access = { 0 };

		must_add(&access, "-192.0.2.0/24");
		must_add(&access, rows[i][0]);
		must_add(&access, "-10.0.0.0/9");
		must_add(&access, rows[i][1]);
		assert_int_equal(access.count, 3);
	}
}

static void what_is_both_allowed_and_denied_is_an_error(void **state)
{
	static const char *const rows[][2] = {
		{ "+all", "-all" },
		{ "+0.0.0.0/0", "-0.0.0.0/0" },
		{ "-10.0.0.0/8", "+10.0.0.0/8" },
		{ "-10.0.0.0/8", "+::ffff:10.0.0.0/104" },
		{ "+192.0.2.1", "-192.0.2.1/32" },
		{ "+2001:db8::", "-2001:DB8:0::0/128" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct access access = { 0 };
		struct why why = { "" };
		char expected[WHY_MAX];

		/* Other prefixes of its length exist. */
		must_add(&access, "+12.0.0.0/8");
		must_add(&access, rows[i][0]);
		must_add(&access, "+c00::/8");
		must_add(&access, "+::/0");
		snprintf(expected, sizeof(expected),
			 "\"%s\" is both allowed and denied", rows[i][1] + 1);
		assert_int_equal(add(&access, rows[i][1], &why), -EINVAL);
		assert_string_equal(why.text, expected);
		assert_int_equal(access.count, 4);
	}
}

static void a_text_that_is_no_prefix_is_an_error(void **state)
{
	static const char *const texts[] = { "10.0.0.0/8", "10.0.0.0/33", "::/0",
					     NULL };
	struct access access = { 0 };
	struct why why = { "" };

	(void)state;
	assert_int_equal(access_add(&access, texts, true, &why), -EINVAL);
	assert_non_null(strstr(why.text, "\"10.0.0.0/33\": the prefix length"));
}

static void no_list_and_an_empty_one_add_nothing(void **state)
{
	static const char *const none[] = { NULL };
	struct access access = { 0 };
	struct why why;

	(void)state;
	assert_int_equal(access_add(&access, NULL, true, &why), 0);
	assert_int_equal(access_add(&access, none, true, &why), 0);
	assert_int_equal(access.count, 0);
}

static void there_are_256_rules_at_most(void **state)
{
	struct access access = { 0 };
	struct why why = { "" };
	char rule[32];

	(void)state;
	for (int i = 0; i < 256; i++) {
		snprintf(rule, sizeof(rule), "%c10.0.%d.0/24", i % 2 ? '+' : '-', i);
		must_add(&access, rule);
	}
	assert_int_equal(add(&access, "+10.1.0.0/24", &why), -EINVAL);
	assert_string_equal(why.text, "more than 256 prefixes are listed");
	assert_int_equal(add(&access, "+all", &why), -EINVAL);
	assert_string_equal(why.text, "more than 256 prefixes are listed");
	/* A prefix that is already listed needs no room. */
	must_add(&access, "+10.0.255.0/24");
	assert_int_equal(add(&access, "-10.0.255.0/24", &why), -EINVAL);
	assert_string_equal(why.text, "\"10.0.255.0/24\" is both allowed and denied");
	assert_int_equal(access.count, 256);
	for (int i = 0; i < 256; i++) {
		snprintf(rule, sizeof(rule), "10.0.%d.1", i);
		assert_int_equal(allows(&access, rule), i % 2);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(the_longest_prefix_decides_in_whatever_order_they_come),
		promise(all_is_shorter_than_both_families),
		promise(families_are_apart),
		promise(whom_no_rule_holds_is_as_otherwise_says),
		promise(the_same_rule_twice_is_one),
		promise(what_is_both_allowed_and_denied_is_an_error),
		promise(a_text_that_is_no_prefix_is_an_error),
		promise(no_list_and_an_empty_one_add_nothing),
		promise(there_are_256_rules_at_most),
	};

	return cmocka_run_group_tests_name("access", tests, NULL, NULL);
}
