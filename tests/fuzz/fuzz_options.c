/*
 * The command lines of prongd, prong connect and prong bench. The first byte chooses
 * the table; the lines after it are the words.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/die.h"
#include "fuzz.h"
#include "prong/bench/bench_options.h"
#include "prong/connect_options.h"
#include "prongd/options.h"

#define WORDS_MAX 300 /* more than OPTION_LIST_MAX */
#define RETURNED  (-1)

union settings {
	struct prongd_settings prongd;
	struct connect_settings connect;
	struct bench_settings bench;
};

static const struct option_page *const pages[] = { &prongd_page, &connect_page,
						   &bench_page };
static jmp_buf on_exit_jump;
static bool in_parser;

/* The linker replaces exit(3), with which the parser ends the program, by this. */
_Noreturn void __wrap_exit(int status);
_Noreturn void __real_exit(int status);

_Noreturn void __wrap_exit(int status)
{
	if (in_parser)
		longjmp(on_exit_jump, status + 1);
	__real_exit(status);
}

/* Returns the index after the options, or, below 0, RETURNED - the exit status. */
static int parse(const struct option_page *page, union settings *settings, int count,
		 char **words)
{
	volatile int result;
	int status = setjmp(on_exit_jump);

	if (status != 0) {
		in_parser = false;
		return RETURNED - (status - 1);
	}
	in_parser = true;
	result = option_parse(page, settings, count, words);
	in_parser = false;
	return result;
}

/* Bad usage is reported as "prongd: ...", followed by how to get help. */
static void check_message(const struct option_page *page, const char *text)
{
	char last[80];
	size_t length = strlen(page->program);

	CHECK(strncmp(text, page->program, length) == 0);
	CHECK(strncmp(text + length, ": ", 2) == 0);
	snprintf(last, sizeof(last), "\nTry '%s --help'.\n", page->program);
	CHECK(strlen(text) > strlen(last));
	CHECK(strcmp(text + strlen(text) - strlen(last), last) == 0);
}

/* The library must accept or refuse them without a fault, whatever they are. */
static void use(const struct option_page *page, const union settings *settings)
{
	struct prong_options options = { .size = sizeof(options) };
	struct prong_privileges privileges = { 0 };
	struct prong_program program = { 0 };

	if (page != &prongd_page)
		return;
	prongd_fill_options(&options, &settings->prongd);
	prongd_fill_privileges(&privileges, &settings->prongd);
	prongd_fill_program(&program, &settings->prongd);
	CHECK(settings->prongd.listen.count <= OPTION_LIST_MAX);
	CHECK(settings->prongd.limits.count <= OPTION_LIST_MAX);
	if (options.user_count > 0)
		CHECK(options.user_first > 0 &&
		      options.user_count <= UINT32_MAX - options.user_first);
}

static void run(const struct option_page *page, int count, char **words)
{
	static union settings settings;
	FILE *standard_output = stdout, *standard_error = stderr;
	char *said = NULL, *shown = NULL;
	size_t said_size, shown_size;
	int result;

	memset(&settings, 0, sizeof(settings));
	if (page == &prongd_page)
		settings.prongd = prongd_defaults;
	stderr = open_memstream(&said, &said_size);
	stdout = open_memstream(&shown, &shown_size);
	result = parse(page, &settings, count, words);
	fclose(stderr);
	fclose(stdout);
	stderr = standard_error;
	stdout = standard_output;
	if (result >= 0)
		CHECK(result <= count && said_size == 0 && shown_size == 0);
	else
		CHECK(result == RETURNED - 0 || result == RETURNED - EXIT_USAGE);
	if (result >= 0)
		use(page, &settings);
	if (result == RETURNED - 0)
		CHECK(said_size == 0 && shown_size > 0);
	if (result == RETURNED - EXIT_USAGE)
		check_message(page, said);
	free(said);
	free(shown);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *words[WORDS_MAX + 2] = { (char *)"program" };
	const struct option_page *page;
	size_t count;
	char *text;

	if (size == 0)
		return 0;
	page = pages[data[0] % (sizeof(pages) / sizeof(pages[0]))];
	text = fuzz_text(data + 1, size - 1);
	count = fuzz_split(text, words + 1, WORDS_MAX);
	words[count + 1] = NULL;
	run(page, (int)count + 1, words);
	free(text);
	return 0;
}
