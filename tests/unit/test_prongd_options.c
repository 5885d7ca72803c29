#include "prongd/options.h"

#include <string.h>

#include "check.h"
#include "prongd/effect.h"

#define WORDS_MAX 8

static void each_group_of_prongd_begins_with_an_option_that_exists(void **state)
{
	const struct option_group *group = prongd_page.groups;
	const struct option_row *row = NULL;

	(void)state;
	while ((row = option_next(&prongd_page, row)) != NULL)
		if (group->title != NULL && strcmp(row->name, group->first) == 0)
			group++;
	assert_null(group->title);
}

static void it_is_known_of_each_option_of_prongd_when_it_has_an_effect(void **state)
{
	(void)state;
	for (const struct option_row *row = prongd_page.rows; row->name != NULL;
	     row++) {
		print_message("# --%s\n", row->name);
		assert_true(effect_is_known(row->name));
	}
	assert_false(effect_is_known("nonsense"));
}

static int count_words(char *const *words)
{
	int count = 0;

	while (words[count] != NULL)
		count++;
	return count;
}

static struct prong_options prongd_options(const char *const *words)
{
	static struct prongd_settings settings;
	struct prong_options options;
	char *argv[WORDS_MAX + 1];

	settings = prongd_defaults;
	memcpy(argv, words, sizeof(argv));
	option_parse(&prongd_page, &settings, count_words(argv), argv);
	prongd_fill_options(&options, &settings);
	return options;
}

static void prongds_defaults_are_those_of_its_help(void **state)
{
	static const char *const words[WORDS_MAX + 1] = { "prongd" };
	struct prong_options options = prongd_options(words);

	(void)state;
	assert_int_equal(options.size, sizeof(options));
	assert_null(options.listen);
	assert_int_equal(options.max_processes, 1000);
	assert_int_equal(options.spare, 8);
	assert_int_equal(options.reuse, 1);
	assert_int_equal(options.at_limit, PRONG_WAIT);
	assert_int_equal(options.idle_timeout, 0);
	assert_int_equal(options.session_timeout, 0);
	assert_int_equal(options.grace, 30000);
	assert_int_equal(options.ready_fd, 0);
	assert_int_equal(options.log_fd, 2);
	assert_int_equal(options.log_format, PRONG_LOGFMT);
	assert_int_equal(options.log_level, PRONG_LOG_NORMAL);
}

static void prongds_options_become_the_librarys(void **state)
{
	static const char *const first[WORDS_MAX + 1] = {
		"prongd",
		"-l:1",
		"-lunix:x",
		"--at-limit=refuse:go",
		"--idle-timeout=5s",
		"--grace=0",
		"-ralways",
		"-v",
	};
	static const char *const second[WORDS_MAX + 1] = {
		"prongd", "--at-limit=refuse:x", "--at-limit=refuse",
		"-q",     "--log-format=json",   "--session-timeout=1m",
	};
	static const struct {
		const char *words[WORDS_MAX + 1];
		enum prong_log_level level;
	} levels[] = {
		{ { "prongd", "-q", "-v" }, PRONG_LOG_VERBOSE },
		{ { "prongd", "-v", "-q" }, PRONG_LOG_QUIET },
		{ { "prongd", "-vqv" }, PRONG_LOG_VERBOSE },
		{ { "prongd", "-v", "--log-level=connections" },
		  PRONG_LOG_CONNECTIONS },
		{ { "prongd", "-q", "--log-level=normal" }, PRONG_LOG_NORMAL },
		{ { "prongd", "--log-level=quiet", "--verbose" }, PRONG_LOG_VERBOSE },
	};
	struct prong_options options = prongd_options(first);

	(void)state;
	assert_string_equal(options.listen[0], ":1");
	assert_string_equal(options.listen[1], "unix:x");
	assert_null(options.listen[2]);
	assert_int_equal(options.at_limit, PRONG_REFUSE);
	assert_string_equal(options.refusal_text, "go");
	assert_int_equal(options.idle_timeout, 5000);
	assert_true(options.grace < 0);
	assert_int_equal(options.reuse, PRONG_REUSE_ALWAYS);
	assert_int_equal(options.log_level, PRONG_LOG_VERBOSE);

	options = prongd_options(second);
	assert_int_equal(options.at_limit, PRONG_REFUSE);
	assert_null(options.refusal_text);
	assert_int_equal(options.log_level, PRONG_LOG_QUIET);
	assert_int_equal(options.log_format, PRONG_LOG_JSON);
	assert_int_equal(options.session_timeout, 60000);
	for (size_t i = 0; i < COUNT(levels); i++)
		assert_int_equal(prongd_options(levels[i].words).log_level,
				 levels[i].level);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(each_group_of_prongd_begins_with_an_option_that_exists),
		promise(it_is_known_of_each_option_of_prongd_when_it_has_an_effect),
		promise(prongds_defaults_are_those_of_its_help),
		promise(prongds_options_become_the_librarys),
	};

	return cmocka_run_group_tests_name("prongd_options", tests, NULL, NULL);
}
