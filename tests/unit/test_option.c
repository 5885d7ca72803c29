#include "base/option.h"

#include <sys/wait.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "prongd/options.h"

#define WORDS_MAX 8

struct sample {
	bool flag;
	unsigned loud, number;
	int64_t time;
	const char *name;
	struct option_strings list;
	unsigned word;
};

#define FIELD(name) offsetof(struct sample, name)

static const char *const few_words[] = { "none", "one", "two", NULL };

static const struct option_row rows[] = {
	{ 'f', "flag", NULL, NULL, "set the flag", option_flag, FIELD(flag), 0, 0,
	  NULL },
	{ 'v', "verbose", NULL, NULL, "say more", option_count, FIELD(loud), 0, 0,
	  NULL },
	{ 'n', "number", "N", "7", "a number", option_number, FIELD(number), 1, 1000,
	  NULL },
	{ 0, "nap", "DURATION", NULL, "sleep", option_duration, FIELD(time), 0, 0,
	  NULL },
	{ 0, "name", "TEXT", NULL, "a name", option_string, FIELD(name), 0, 0, NULL },
	{ 'l', "list", "TEXT", NULL, "one more", option_strings, FIELD(list), 0, 0,
	  NULL },
	{ 0, "word", "WORD", NULL, "a word", option_word, FIELD(word), 0, 0,
	  few_words },
	{ .name = NULL },
};

static void print_more(FILE *out)
{
	fputs("\nand more\n", out);
}

static const struct option_group groups[] = {
	{ "Ways", "flag" },
	{ "Names", "name" },
	{ "Help", "version" },
	{ .title = NULL },
};

static const char *const usage[] = { "sample [OPTION]...", "sample --help", NULL };
static const struct option_page page = {
	.program = "sample",
	.version = "sample 1.2.3",
	.usage = usage,
	.summary = "A sample.",
	.rows = rows,
	.groups = groups,
	.epilogue = "the end\n",
	.print_more = print_more,
};

static int count_words(char *const *words)
{
	int count = 0;

	while (words[count] != NULL)
		count++;
	return count;
}

/* getopt_long(3) may permute the words, so it gets a copy. */
static int parse(struct sample *sample, const char *const *words)
{
	char *argv[WORDS_MAX + 1];

	memset(sample, 0, sizeof(*sample));
	memcpy(argv, words, sizeof(argv));
	return option_parse(&page, sample, count_words(argv), argv);
}

static void options_are_read_up_to_the_first_other_word(void **state)
{
	static const struct {
		const char *words[WORDS_MAX + 1];
		int first;
		bool flag;
		unsigned loud, number;
	} cases[] = {
		{ { "sample" }, 1, false, 0, 0 },
		{ { "sample", "-f", "-n", "5" }, 4, true, 0, 5 },
		{ { "sample", "-fvvn5", "x" }, 2, true, 2, 5 },
		{ { "sample", "--flag", "--number=5", "x" }, 3, true, 0, 5 },
		{ { "sample", "--number", "5", "x" }, 3, false, 0, 5 },
		{ { "sample", "--num", "5" }, 3, false, 0, 5 },
		{ { "sample", "-n", "1", "-n", "1000" }, 5, false, 0, 1000 },
		{ { "sample", "x", "-f" }, 1, false, 0, 0 },
		{ { "sample", "--", "-f" }, 2, false, 0, 0 },
		{ { "sample", "-v", "--", "-f" }, 3, false, 1, 0 },
		{ { "sample", "-", "-f" }, 1, false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct sample sample;

		print_message("# case %zu\n", i);
		assert_int_equal(parse(&sample, cases[i].words), cases[i].first);
		assert_int_equal(sample.flag, cases[i].flag);
		assert_int_equal(sample.loud, cases[i].loud);
		assert_int_equal(sample.number, cases[i].number);
	}
}

static void texts_durations_and_repeats_are_kept(void **state)
{
	static const char *const words[WORDS_MAX + 1] = {
		"sample", "--nap", "5m", "--name=", "-la", "-l", "b", "x",
	};
	struct sample sample;

	(void)state;
	assert_int_equal(parse(&sample, words), 7);
	assert_int_equal(sample.time, 300000);
	assert_string_equal(sample.name, "");
	assert_int_equal(sample.list.count, 2);
	assert_string_equal(sample.list.at[0], "a");
	assert_string_equal(sample.list.at[1], "b");
	assert_null(sample.list.at[2]);
}

static int parse_words(void *arg)
{
	struct sample sample;

	parse(&sample, arg);
	return 0;
}

static void bad_usage_is_told_and_exits_with_2(void **state)
{
	static const struct {
		const char *words[WORDS_MAX + 1];
		const char *says;
	} cases[] = {
		{ { "sample", "-x" }, "unknown option -x" },
		{ { "sample", "-fx" }, "unknown option -x" },
		{ { "sample", "--frob" }, "--frob" },
		{ { "sample", "--frob=1" }, "--frob" },
		{ { "sample", "--na", "x" }, "ambiguous option --na" },
		{ { "sample", "-n" }, "-n needs an argument" },
		{ { "sample", "--number" }, "--number needs an argument" },
		{ { "sample", "--flag=yes" }, "--flag takes no argument" },
		{ { "sample", "-n", "0" }, "-n: \"0\" is not a number" },
		{ { "sample", "-n", "1001" }, "from 1 to 1000" },
		{ { "sample", "-n", "-1" }, "-n: \"-1\" is not a number" },
		{ { "sample", "-n", "" }, "-n: \"\" is not a number" },
		{ { "sample", "--number= 5" }, "--number: \" 5\" is not" },
		{ { "sample", "--nap", "5" }, "--nap: \"5\" is not a duration" },
		{ { "sample", "--nap", "9999d" }, "--nap: \"9999d\" is too long" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct child_end end;

		child_run(&end, parse_words, (void *)cases[i].words);
		print_message("# %s", end.text);
		assert_true(WIFEXITED(end.status));
		assert_int_equal(WEXITSTATUS(end.status), 2);
		assert_int_equal(strncmp(end.text, "sample: ", 8), 0);
		assert_non_null(strstr(end.text, cases[i].says));
		assert_non_null(strstr(end.text, "\nTry 'sample --help'.\n"));
	}
}

static void a_word_is_its_place_in_the_list(void **state)
{
	struct why why;
	const struct option_row *row = rows;
	unsigned word = 7;

	(void)state;
	while (row->parse != option_word)
		row++;
	assert_int_equal(option_word(row, "two", &word, &why), 0);
	assert_int_equal(word, 2);
	assert_int_equal(option_word(row, "three", &word, &why), -EINVAL);
	assert_int_equal(option_word(row, "", &word, &why), -EINVAL);
	assert_int_equal(word, 2);
	assert_string_equal(why.text, "\"\" is not one of none, one, two");
}

static int repeat_too_often(void *arg)
{
	char *argv[OPTION_LIST_MAX + 3] = { "sample" };
	struct sample sample = { .flag = false };

	(void)arg;
	for (int i = 1; i <= OPTION_LIST_MAX; i++)
		argv[i] = "-lx";
	if (option_parse(&page, &sample, OPTION_LIST_MAX + 1, argv) !=
	    OPTION_LIST_MAX + 1)
		return 77;
	argv[OPTION_LIST_MAX + 1] = "-lx";
	memset(&sample, 0, sizeof(sample));
	option_parse(&page, &sample, OPTION_LIST_MAX + 2, argv);
	return 0;
}

static void a_list_takes_256_and_refuses_the_257th(void **state)
{
	struct child_end end;

	(void)state;
	child_run(&end, repeat_too_often, NULL);
	assert_int_equal(WEXITSTATUS(end.status), 2);
	assert_non_null(strstr(end.text, "more than 256 times"));
}

static int help(void *arg)
{
	option_help(arg);
}

static void help_shows_every_row(void **state)
{
	static const char *const parts[] = {
		"usage: sample [OPTION]...\n       sample --help\n",
		"\nA sample.\n",
		"\n\nWays:\n  -f, --flag                  set the flag\n",
		"\n  -n, --number N              a number [7]\n",
		"\n      --nap DURATION          sleep\n"
		"\nNames:\n      --name TEXT             a name\n",
		"\n\nHelp:\n  -V, --version               print the version and exit\n"
		"  -h, --help                  print this and exit\n"
		"\nthe end\n"
		"\nand more\n",
	};
	struct child_end end;

	(void)state;
	child_run(&end, help, (void *)&page);
	assert_true(WIFEXITED(end.status));
	assert_int_equal(WEXITSTATUS(end.status), 0);
	for (size_t i = 0; i < COUNT(parts); i++)
		assert_non_null(strstr(end.text, parts[i]));
}

static void help_and_version_are_answered_once_all_options_are_read(void **state)
{
	static const struct {
		const char *words[WORDS_MAX + 1];
		int status;
		const char *begins;
	} cases[] = {
		{ { "sample", "-V" }, 0, "sample 1.2.3\n" },
		{ { "sample", "--version" }, 0, "sample 1.2.3\n" },
		{ { "sample", "-fV", "x" }, 0, "sample 1.2.3\n" },
		{ { "sample", "--vers" }, 0, "sample 1.2.3\n" },
		{ { "sample", "-h" }, 0, "usage: sample" },
		{ { "sample", "--help", "-n", "5" }, 0, "usage: sample" },
		{ { "sample", "-V", "-h" }, 0, "usage: sample" },
		{ { "sample", "-hV" }, 0, "usage: sample" },
		{ { "sample", "--help", "-x" }, 2, "sample: unknown option -x\n" },
		{ { "sample", "-V", "-n", "0" }, 2, "sample: -n: " },
		{ { "sample", "--version=1" }, 2, "sample: --version takes no arg" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct child_end end;

		child_run(&end, parse_words, (void *)cases[i].words);
		print_message("# case %zu\n", i);
		assert_true(WIFEXITED(end.status));
		assert_int_equal(WEXITSTATUS(end.status), cases[i].status);
		assert_int_equal(
			strncmp(end.text, cases[i].begins, strlen(cases[i].begins)), 0);
	}
}

static void a_word_behind_the_options_is_no_question(void **state)
{
	static const char *const words[WORDS_MAX + 1] = { "sample", "x", "-h" };
	struct sample sample;

	(void)state;
	assert_int_equal(parse(&sample, words), 1);
}

/* Standard output is full; standard error is still caught. */
static int parse_with_full_output(void *arg)
{
	child_must(freopen("/dev/full", "w", stdout) != NULL);
	return parse_words(arg);
}

static void a_text_that_cannot_be_written_is_a_failure(void **state)
{
	static const char *const words[][WORDS_MAX + 1] = {
		{ "sample", "--help" },
		{ "sample", "--version" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(words); i++) {
		struct child_end end;

		child_run(&end, parse_with_full_output, (void *)words[i]);
		assert_true(WIFEXITED(end.status));
		assert_int_equal(WEXITSTATUS(end.status), 1);
		assert_string_equal(end.text,
				    "sample: cannot write to standard output: No space "
				    "left on device\n");
	}
}

static void a_table_may_have_no_rows_of_its_own(void **state)
{
	static const struct option_row none[] = { { .name = NULL } };
	const struct option_page bare = { .program = "bare", .rows = none };
	const struct option_row *row = option_next(&bare, NULL);

	(void)state;
	assert_string_equal(row->name, "version");
	row = option_next(&bare, row);
	assert_string_equal(row->name, "help");
	assert_null(option_next(&bare, row));
}

static void a_heading_stands_before_the_first_row_of_its_group(void **state)
{
	const struct option_page plain = { .program = "plain", .rows = rows };

	(void)state;
	assert_string_equal(option_heading(&page, &rows[0]), "Ways");
	assert_null(option_heading(&page, &rows[1]));
	assert_null(option_heading(&plain, &rows[0]));
}

static void help_fits_80_columns_without_trailing_spaces(void **state)
{
	struct child_end end;

	(void)state;
	child_run(&end, help, (void *)&prongd_page);
	assert_true(strlen(end.text) > 500);
	for (char *line = strtok(end.text, "\n"); line; line = strtok(NULL, "\n")) {
		print_message("# %s\n", line);
		assert_in_range(strlen(line), 1, 79);
		assert_int_not_equal(line[strlen(line) - 1], ' ');
	}
}

static void it_is_noted_how_an_option_was_typed_last(void **state)
{
	char program[] = "sample", number[] = "-n3", again[] = "--number=4";
	char flag[] = "-f", *argv[] = { program, number, again, flag, NULL };
	struct option_given given;
	struct sample sample = { 0 };
	char typed[16];

	(void)state;
	assert_int_equal(option_parse_given(&page, &sample, &given, 4, argv), 4);
	assert_true(option_typed(&page, &given, "number", typed, sizeof(typed)));
	assert_string_equal(typed, "--number");
	assert_true(option_typed(&page, &given, "flag", typed, sizeof(typed)));
	assert_string_equal(typed, "-f");
	assert_false(option_typed(&page, &given, "name", typed, sizeof(typed)));
}

static void an_option_is_found_by_its_whole_name(void **state)
{
	(void)state;
	assert_ptr_equal(option_find(&page, "number: x", 6), &rows[2]);
	assert_null(option_find(&page, "num", 3));
	assert_null(option_find(&page, "numbers", 7));
	assert_null(option_find(&page, "", 0));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(options_are_read_up_to_the_first_other_word),
		promise(texts_durations_and_repeats_are_kept),
		promise(bad_usage_is_told_and_exits_with_2),
		promise(a_word_is_its_place_in_the_list),
		promise(a_list_takes_256_and_refuses_the_257th),
		promise(help_shows_every_row),
		promise(help_and_version_are_answered_once_all_options_are_read),
		promise(a_word_behind_the_options_is_no_question),
		promise(a_text_that_cannot_be_written_is_a_failure),
		promise(a_table_may_have_no_rows_of_its_own),
		promise(it_is_noted_how_an_option_was_typed_last),
		promise(an_option_is_found_by_its_whole_name),
		promise(a_heading_stands_before_the_first_row_of_its_group),
		promise(help_fits_80_columns_without_trailing_spaces),
	};

	return cmocka_run_group_tests_name("option", tests, NULL, NULL);
}
