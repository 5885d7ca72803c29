#include "prongd/secrets.h"

#include <string.h>

#include "check.h"

static void only_what_is_kept_is_left(void **state)
{
	static const char *const keep[] = { "GIVEN", "SET=1", "ABSENT" };
	char path[] = "PATH=/bin", given[] = "GIVEN=x", set[] = "SET=2";
	char secret[] = "SECRET=y", longer[] = "GIVENMORE=z", empty[] = "",
	     bare[] = "TZ";
	char zone[] = "TZ=UTC";
	char *environment[] = { secret, path, longer, given, set,
				empty,  bare, zone,   NULL };

	(void)state;
	secrets_forget(environment, keep, COUNT(keep));
	assert_ptr_equal(environment[0], path);
	assert_ptr_equal(environment[1], given);
	assert_ptr_equal(environment[2], zone);
	assert_null(environment[3]);
	assert_string_equal(path, "PATH=/bin");
	assert_string_equal(given, "GIVEN=x");
	for (size_t i = 0; i < sizeof(secret); i++)
		assert_int_equal(secret[i], 0);
	assert_int_equal(longer[0] | set[0] | bare[0], 0);
}

static void an_empty_environment_stays_empty(void **state)
{
	char *environment[] = { NULL };

	(void)state;
	secrets_forget(environment, NULL, 0);
	assert_null(environment[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(only_what_is_kept_is_left),
		promise(an_empty_environment_stays_empty),
	};

	return cmocka_run_group_tests_name("secrets", tests, NULL, NULL);
}
