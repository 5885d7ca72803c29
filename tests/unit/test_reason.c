#include "engine/record/reason.h"

#include <string.h>

#include "check.h"

static void every_reason_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int i = 0; i < REASON_COUNT; i++) {
		const char *name = reason_name((enum reason)i);

		assert_non_null(name);
		assert_true(name[0] != '\0');
		assert_true(strspn(name, "abcdefghijklmnopqrstuvwxyz-") ==
			    strlen(name));
		for (int k = 0; k < i; k++)
			assert_string_not_equal(name, reason_name((enum reason)k));
	}
}

static void an_exit_status_tells_the_reason_back(void **state)
{
	(void)state;
	for (int i = 0; i < REASON_COUNT; i++) {
		int status = reason_exit_status((enum reason)i);

		if (status != 0)
			assert_int_equal(reason_from_exit_status(status), i);
		assert_in_range(status, 0, 125);
	}
}

/* They are an interface on which tools may depend. */
static void exit_statuses_stay_what_they_are(void **state)
{
	static const struct {
		enum reason reason;
		int status;
	} rows[] = {
		{ REASON_EOF, 100 },
		{ REASON_DONE, 101 },
		{ REASON_RESET, 102 },
		{ REASON_IDLE, 103 },
		{ REASON_DEADLINE, 104 },
		{ REASON_FAILED, 105 },
		{ REASON_REFUSED_PRIVILEGES, 106 },
		{ REASON_CRASH_SANDBOX, 107 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_int_equal(reason_exit_status(rows[i].reason), rows[i].status);
}

static void a_status_that_tells_none_is_a_crash(void **state)
{
	static const int foreign[] = { 1, 2, 3, 78, 99, 108, 126, 127, 254, 255 };

	(void)state;
	for (size_t i = 0; i < COUNT(foreign); i++)
		assert_int_equal(reason_from_exit_status(foreign[i]),
				 REASON_CRASH_EXIT);
	assert_int_equal(reason_from_exit_status(0), REASON_DONE);
}

/* The supervisor determines all others: a worker that reports one is broken. */
static void a_worker_tells_no_reason_but_its_own(void **state)
{
	static const unsigned foreign[] = { REASON_COUNT, 100, 106, 255, UINT32_MAX };

	(void)state;
	for (unsigned i = 0; i < REASON_COUNT; i++)
		assert_int_equal(reason_is_completion(i),
				 reason_exit_status((enum reason)i) != 0 &&
					 i != REASON_CRASH_SANDBOX &&
					 i != REASON_REFUSED_PRIVILEGES);
	for (size_t i = 0; i < COUNT(foreign); i++)
		assert_false(reason_is_completion(foreign[i]));
}

/* A name says which side ended the connection: tools look for "refused-". */
static void the_refused_are_named_so(void **state)
{
	static const struct {
		enum reason reason;
		const char *name;
	} rows[] = {
		{ REASON_REFUSED_DENIED, "refused-denied" },
		{ REASON_REFUSED_RATE_PER_SOURCE, "refused-rate-per-source" },
		{ REASON_REFUSED_RATE, "refused-rate" },
		{ REASON_REFUSED_MAX_PER_SOURCE, "refused-max-per-source" },
		{ REASON_REFUSED_FULL, "refused-full" },
		{ REASON_REFUSED_FORK, "refused-fork" },
		{ REASON_REFUSED_DESCRIPTORS, "refused-descriptors" },
		{ REASON_REFUSED_PRIVILEGES, "refused-privileges" },
	};
	size_t refused = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(reason_name(rows[i].reason), rows[i].name);
	for (int i = 0; i < REASON_COUNT; i++)
		refused += strncmp(reason_name((enum reason)i), "refused-", 8) == 0;
	assert_int_equal(refused, COUNT(rows));
}

static void only_the_crashes_are_crashes(void **state)
{
	(void)state;
	for (int i = 0; i < REASON_COUNT; i++)
		assert_int_equal(reason_is_crash((enum reason)i),
				 strncmp(reason_name((enum reason)i), "crash-", 6) ==
					 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(every_reason_has_a_name_of_its_own),
		promise(an_exit_status_tells_the_reason_back),
		promise(exit_statuses_stay_what_they_are),
		promise(a_status_that_tells_none_is_a_crash),
		promise(a_worker_tells_no_reason_but_its_own),
		promise(the_refused_are_named_so),
		promise(only_the_crashes_are_crashes),
	};

	return cmocka_run_group_tests_name("reason", tests, NULL, NULL);
}
