#include "engine/supervisor/users.h"

#include <errno.h>

#include "check.h"
#include "engine/confine/privileges.h"
#include "prongd/value.h"

#define FIRST 2100000000U

static struct users users;
static struct privileges *privileges;

/* Opens users for that number of programs. */
static void open_users(unsigned count)
{
	const struct prong_options options = {
		.user_first = count > 0 ? FIRST : 0,
		.user_count = USERS_IDS * count,
	};
	struct why why;

	assert_int_equal(privileges_open(&privileges, NULL, false), 0);
	assert_int_equal(users_open(&users, &options, privileges, &why), 0);
}

static void close_users(void)
{
	users_close(&users);
	privileges_close(privileges);
}

static uid_t nth(unsigned n)
{
	return FIRST + USERS_IDS * n;
}

static void without_a_range_there_is_no_user(void **state)
{
	(void)state;
	open_users(0);
	assert_int_equal(users_take(&users), 0);
	users_give_back(&users, 0);
	users_keep(&users, 0);
	users_release(&users, 0);
	assert_true(privileges->keeps_ids);
	close_users();
}

static void users_come_in_turn_however_soon_they_are_given_back(void **state)
{
	(void)state;
	open_users(3);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(users_take(&users), nth(i % 3));
		users_give_back(&users, nth(i % 3));
	}
	close_users();
}

static void one_that_is_taken_is_left_out(void **state)
{
	(void)state;
	open_users(3);
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(users_take(&users), nth(i));
	users_give_back(&users, nth(1));
	assert_int_equal(users_take(&users), nth(1));
	users_give_back(&users, nth(0));
	users_give_back(&users, nth(2));
	assert_int_equal(users_take(&users), nth(2));
	assert_int_equal(users_take(&users), nth(0));
	close_users();
}

static void one_that_a_session_keeps_comes_when_no_other_is_left(void **state)
{
	(void)state;
	open_users(2);
	assert_int_equal(users_take(&users), nth(0));
	users_keep(&users, nth(0));
	for (int i = 0; i < 3; i++) {
		assert_int_equal(users_take(&users), nth(1));
		users_give_back(&users, nth(1));
	}
	assert_int_equal(users_take(&users), nth(1));
	assert_int_equal(users_take(&users), nth(0));
	/* The session that kept it before ends later, and must not free it. */
	users_release(&users, nth(0));
	users_give_back(&users, nth(1));
	assert_int_equal(users_take(&users), nth(1));
	close_users();
}

static void one_that_was_kept_comes_again_after_its_session(void **state)
{
	(void)state;
	open_users(2);
	assert_int_equal(users_take(&users), nth(0));
	users_keep(&users, nth(0));
	users_release(&users, nth(0));
	assert_int_equal(users_take(&users), nth(1));
	assert_int_equal(users_take(&users), nth(0));
	close_users();
}

static void an_id_without_a_pair_is_no_user(void **state)
{
	const struct prong_options options = { .user_first = FIRST, .user_count = 5 };
	struct why why;

	(void)state;
	assert_int_equal(privileges_open(&privileges, NULL, false), 0);
	assert_int_equal(users_open(&users, &options, privileges, &why), 0);
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(users_take(&users), nth(i % 2));
		users_give_back(&users, nth(i % 2));
	}
	close_users();
}

static void a_trial_is_not_made_with_what_a_program_runs_as(void **state)
{
	(void)state;
	open_users(4);
	assert_true(privileges->options.change_ids && !privileges->keeps_ids);
	assert_int_equal(privileges->options.uid, nth(3) + 1);
	assert_int_equal(privileges->options.group_count, 0);
	close_users();
}

static void a_process_takes_its_user_and_the_id_behind(void **state)
{
	struct privileges mine;

	(void)state;
	open_users(4);
	privileges_take_user(&mine, privileges, nth(1));
	assert_int_equal(mine.options.uid, nth(1));
	assert_int_equal(mine.options.gid, nth(1));
	assert_int_equal(mine.guard, nth(1) + 1);
	assert_int_equal(privileges->guard, 0);
	close_users();
}

static int parse(const char *text, struct value_user_range *range)
{
	const struct option_row row = { .min = 1, .max = UINT32_MAX - 1 };
	struct why why;

	*range = (struct value_user_range){ 0 };
	return value_user_range(&row, text, range, &why);
}

static void a_range_is_read(void **state)
{
	static const struct {
		const char *text;
		uint32_t first, count;
	} rows[] = {
		{ "2100000000:4000", 2100000000, 4000 },
		{ "1:1", 1, 1 },
		{ "4294967294:1", UINT32_MAX - 1, 1 },
		{ "1:4294967294", 1, UINT32_MAX - 1 },
		{ "4294967200:95", 4294967200, 95 },
	};
	struct value_user_range range;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(parse(rows[i].text, &range), 0);
		assert_int_equal(range.first, rows[i].first);
		assert_int_equal(range.count, rows[i].count);
	}
}

static void what_is_no_range_is_refused_and_changes_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		":",
		"1",
		"1:",
		":1",
		"0:1",
		"1:0",
		"-1:1",
		"1:-1",
		"1:1:1",
		"1:1 ",
		" 1:1",
		"+1:1",
		"x:1",
		"1:x",
		"4294967295:1",
		"4294967294:2",
		"1:4294967295",
		"4294967200:96",
		"000000000001:1",
		"18446744073709551617:1",
		"1:18446744073709551617",
	};
	struct value_user_range range;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(parse(texts[i], &range), -EINVAL);
		assert_int_equal(range.first, 0);
		assert_int_equal(range.count, 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(without_a_range_there_is_no_user),
		promise(users_come_in_turn_however_soon_they_are_given_back),
		promise(one_that_is_taken_is_left_out),
		promise(one_that_a_session_keeps_comes_when_no_other_is_left),
		promise(one_that_was_kept_comes_again_after_its_session),
		promise(an_id_without_a_pair_is_no_user),
		promise(a_trial_is_not_made_with_what_a_program_runs_as),
		promise(a_process_takes_its_user_and_the_id_behind),
		promise(a_range_is_read),
		promise(what_is_no_range_is_refused_and_changes_nothing),
	};

	return cmocka_run_group_tests_name("users", tests, NULL, NULL);
}
