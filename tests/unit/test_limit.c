#include "prongd/limit.h"

#include <sys/resource.h>

#include <errno.h>
#include <string.h>

#include "check.h"

#define UNTOUCHED -7

static int parse(struct prong_rlimit *out, const char *text, struct why *why)
{
	*out = (struct prong_rlimit){ UNTOUCHED, 0, 0 };
	why_set(why, "%s", "");
	return limit_parse(out, text, why);
}

static void a_limit_is_read_with_its_units(void **state)
{
	static const struct {
		const char *text;
		int resource;
		uint64_t soft, hard;
	} rows[] = {
		{ "nofile=64", RLIMIT_NOFILE, 64, 64 },
		{ "nofile=64:128", RLIMIT_NOFILE, 64, 128 },
		{ "as=512M:1G", RLIMIT_AS, 512 << 20, 1 << 30 },
		{ "fsize=3K", RLIMIT_FSIZE, 3072, 3072 },
		{ "core=unlimited", RLIMIT_CORE, UINT64_MAX, UINT64_MAX },
		{ "core=0:unlimited", RLIMIT_CORE, 0, UINT64_MAX },
		{ "cpu=0", RLIMIT_CPU, 0, 0 },
		{ "stack=17179869183G", RLIMIT_STACK, 17179869183ULL << 30,
		  17179869183ULL << 30 },
	};
	struct prong_rlimit limit;
	struct why why;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		assert_int_equal(parse(&limit, rows[i].text, &why), 0);
		assert_int_equal(limit.resource, rows[i].resource);
		assert_true(limit.soft == rows[i].soft && limit.hard == rows[i].hard);
	}
}

static void what_is_no_limit_is_told_and_leaves_nothing(void **state)
{
	static const char *const texts[] = {
		"",
		"nofile",
		"nofile=",
		"nofile=:",
		"nofile=1:",
		"nofile=:1",
		"nofile=1:2:3",
		"nofile=-1",
		"nofile=+1",
		"nofile= 1",
		"nofile=1k",
		"nofile=1KK",
		"nofile=K",
		"NOFILE=1",
		"nofil=1",
		"nofiles=1",
		"=1",
		"nofile=2:1",
		"as=unlimited:1",
		"as=17179869184G",
		"as=18446744073709551615",
		"as=unlimitedd",
		"as=99999999999999999999999999999999999999",
	};
	struct prong_rlimit limit;
	struct why why;

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		assert_int_equal(parse(&limit, texts[i], &why), -EINVAL);
		assert_int_equal(limit.resource, UNTOUCHED);
		assert_true(strlen(why.text) > 10);
	}
}

static void an_unknown_name_is_answered_by_those_that_are_known(void **state)
{
	struct prong_rlimit limit;
	struct why why;

	(void)state;
	parse(&limit, "memory=1", &why);
	assert_non_null(strstr(why.text, "memory"));
	assert_non_null(strstr(why.text, " as "));
	assert_non_null(strstr(why.text, " stack"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_limit_is_read_with_its_units),
		promise(what_is_no_limit_is_told_and_leaves_nothing),
		promise(an_unknown_name_is_answered_by_those_that_are_known),
	};

	return cmocka_run_group_tests_name("limit", tests, NULL, NULL);
}
