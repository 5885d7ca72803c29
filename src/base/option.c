#include "option.h"

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "die.h"
#include "number.h"

#define LONG_ONLY   256 /* getopt's value for a row without a letter, plus its index */
#define HELP_COLUMN 30
#define HELP_WIDTH  79

/* The options that every program has. */
struct questions {
	bool version, help;
};

static const struct option_row own_rows[] = {
	{ 'V', "version", NULL, NULL, "print the version and exit", option_flag,
	  offsetof(struct questions, version), 0, 0, NULL },
	{ 'h', "help", NULL, NULL, "print this and exit", option_flag,
	  offsetof(struct questions, help), 0, 0, NULL },
	{ .name = NULL },
};

#define OWN_ROWS (sizeof(own_rows) / sizeof(own_rows[0]) - 1)

/* The table in the form that getopt_long(3) needs. */
struct getopt_form {
	const struct option_row *rows[OPTION_ROWS_MAX + 1];
	struct option longs[OPTION_ROWS_MAX + 1];
	char letters[2 * OPTION_ROWS_MAX + 4];
};

int option_flag(const struct option_row *row, const char *value, void *field,
		struct why *why)
{
	(void)row, (void)value, (void)why;
	*(bool *)field = true;
	return 0;
}

int option_count(const struct option_row *row, const char *value, void *field,
		 struct why *why)
{
	(void)row, (void)value, (void)why;
	*(unsigned *)field += 1;
	return 0;
}

int option_number(const struct option_row *row, const char *value, void *field,
		  struct why *why)
{
	uint64_t number;

	if (number_parse(value, row->min, row->max, &number) < 0)
		return why_fail(why, -EINVAL,
				"\"%.60s\" is not a number from %llu to %llu", value,
				(unsigned long long)row->min,
				(unsigned long long)row->max);
	*(unsigned *)field = (unsigned)number;
	return 0;
}

int option_duration(const struct option_row *row, const char *value, void *field,
		    struct why *why)
{
	(void)row;
	switch (number_parse_duration(value, field)) {
	case 0:
		return 0;
	case -ERANGE:
		return why_fail(why, -EINVAL, "\"%.60s\" is too long: 3650d at most",
				value);
	default:
		return why_fail(
			why, -EINVAL,
			"\"%.60s\" is not a duration: write 500ms, 30s, 5m, 2h or 0",
			value);
	}
}

int option_word(const struct option_row *row, const char *value, void *field,
		struct why *why)
{
	for (unsigned i = 0; row->words[i] != NULL; i++)
		if (strcmp(value, row->words[i]) == 0) {
			*(unsigned *)field = i;
			return 0;
		}
	why_set(why, "\"%.60s\" is not one of", value);
	for (unsigned i = 0; row->words[i] != NULL; i++)
		why_append(why, "%s %s", i > 0 ? "," : "", row->words[i]);
	return -EINVAL;
}

int option_string(const struct option_row *row, const char *value, void *field,
		  struct why *why)
{
	(void)row, (void)why;
	*(const char **)field = value;
	return 0;
}

int option_strings(const struct option_row *row, const char *value, void *field,
		   struct why *why)
{
	struct option_strings *list = field;

	(void)row;
	if (list->count == OPTION_LIST_MAX)
		return why_fail(why, -EINVAL, "given more than %d times",
				OPTION_LIST_MAX);
	list->at[list->count++] = value;
	return 0;
}

_Noreturn void option_die(const struct option_page *page, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "%s: ", page->program);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fprintf(stderr, "\nTry '%s --help'.\n", page->program);
	exit(EXIT_USAGE);
}

const struct option_row *option_next(const struct option_page *page,
				     const struct option_row *row)
{
	row = row == NULL ? page->rows : row + 1;
	if (row->name == NULL && row != &own_rows[OWN_ROWS])
		row = own_rows;
	return row->name == NULL ? NULL : row;
}

const char *option_heading(const struct option_page *page, const struct option_row *row)
{
	const struct option_group *group = page->groups;

	while (group != NULL && group->title != NULL) {
		if (strcmp(group->first, row->name) == 0)
			return group->title;
		group++;
	}
	return NULL;
}

/* "+": the first word that is not an option ends them; ":": no argument gives ':'. */
static void build_getopt_form(struct getopt_form *form, const struct option_page *page)
{
	const struct option_row *row = NULL;
	char *letter = form->letters;

	memset(form, 0, sizeof(*form));
	*letter++ = '+';
	*letter++ = ':';
	for (int i = 0; (row = option_next(page, row)) != NULL; i++) {
		assert(i < OPTION_ROWS_MAX);
		form->rows[i] = row;
		form->longs[i].name = row->name;
		form->longs[i].has_arg =
			row->argument ? required_argument : no_argument;
		form->longs[i].val = LONG_ONLY + i;
		if (row->letter == 0)
			continue;
		*letter++ = row->letter;
		if (row->argument != NULL)
			*letter++ = ':';
	}
}

static const struct option_row *find_row(const struct getopt_form *form, int code)
{
	const struct option_row *const *row = form->rows;

	if (code >= LONG_ONLY)
		return form->rows[code - LONG_ONLY];
	while (*row != NULL && (*row)->letter != code)
		row++;
	assert(*row != NULL);
	return *row;
}

static bool is_own(const struct option_row *row)
{
	return row == &own_rows[0] || row == &own_rows[1];
}

/*
 * Explains a word that getopt_long(3) refused; only optopt and optind tell which one.
 */
static _Noreturn void die_of_word(const struct option_page *page,
				  const struct getopt_form *form, int code, char **argv)
{
	const char *word = argv[optind - 1];

	if (code == ':' && optopt >= LONG_ONLY)
		option_die(page, "--%s needs an argument",
			   find_row(form, optopt)->name);
	if (code == ':')
		option_die(page, "-%c needs an argument", optopt);
	if (optopt >= LONG_ONLY)
		option_die(page, "--%s takes no argument",
			   find_row(form, optopt)->name);
	if (optopt != 0)
		option_die(page, "unknown option -%c", optopt);
	option_die(page, "unknown or ambiguous option %.80s", word);
}

/*
 * Prints text wrapped between HELP_COLUMN and HELP_WIDTH; the cursor is in column at.
 */
static void print_wrapped(FILE *out, const char *text, int at)
{
	if (at >= HELP_COLUMN - 1) {
		fputc('\n', out);
		at = 0;
	}
	at += fprintf(out, "%*s", HELP_COLUMN - at - 1, "");
	while (*text != '\0') {
		int length = (int)strcspn(text, " ");

		if (at + 1 + length > HELP_WIDTH)
			at = fprintf(out, "\n%*s", HELP_COLUMN - 1, "") - 1;
		at += fprintf(out, " %.*s", length, text);
		text += length + (text[length] == ' ');
	}
	fputc('\n', out);
}

static void print_row(FILE *out, const struct option_row *row)
{
	char text[1024];
	int at;

	if (row->letter != 0)
		at = fprintf(out, "  -%c, --%s", row->letter, row->name);
	else
		at = fprintf(out, "      --%s", row->name);
	if (row->argument != NULL)
		at += fprintf(out, " %s", row->argument);
	snprintf(text, sizeof(text), row->initial ? "%s [%s]" : "%s", row->help,
		 row->initial);
	print_wrapped(out, text, at);
}

static void print_rows(FILE *out, const struct option_page *page)
{
	const struct option_row *row = NULL;

	while ((row = option_next(page, row)) != NULL) {
		const char *heading = option_heading(page, row);

		if (heading != NULL)
			fprintf(out, "%s%s:\n", row == page->rows ? "" : "\n", heading);
		print_row(out, row);
	}
}

/* The requested text is the program's whole task, so failing to write it is an error. */
static _Noreturn void finish(const struct option_page *page)
{
	if (fflush(stdout) != 0 || ferror(stdout))
		die(EXIT_FAILED, page->program, "cannot write to standard output: %s",
		    strerror(errno));
	exit(0);
}

_Noreturn void option_help(const struct option_page *page)
{
	for (const char *const *line = page->usage; *line != NULL; line++)
		printf("%s %s\n", line == page->usage ? "usage:" : "      ", *line);
	printf("\n%s\n\n", page->summary);
	print_rows(stdout, page);
	if (page->epilogue != NULL)
		printf("\n%s", page->epilogue);
	if (page->print_more != NULL)
		page->print_more(stdout);
	finish(page);
}

/* Prints the text that --help or --version asks for, and exits; otherwise returns. */
static void answer(const struct option_page *page, const struct questions *questions)
{
	if (questions->help)
		option_help(page);
	if (!questions->version)
		return;
	puts(page->version);
	finish(page);
}

/* as: its letter, or '-' for its long name. */
static void write_typed(const struct option_row *row, char as, char *out, size_t size)
{
	if (as == '-')
		snprintf(out, size, "--%s", row->name);
	else
		snprintf(out, size, "-%c", as);
}

/* Sets one option; a value that cannot be used ends the program. */
static void set_field(const struct option_page *page, const struct option_row *row,
		      char as, char *fields)
{
	struct why why;
	char typed[64];

	if (row->parse(row, optarg, fields + row->field, &why) >= 0)
		return;
	write_typed(row, as, typed, sizeof(typed));
	option_die(page, "%s: %s", typed, why.text);
}

int option_parse_given(const struct option_page *page, void *settings,
		       struct option_given *given, int argc, char **argv)
{
	struct questions questions = { .help = false };
	struct getopt_form form;
	int code;

	*given = (struct option_given){ { 0 } };
	build_getopt_form(&form, page);
	opterr = 0;
	optind = 0; /* glibc: starts afresh, so that commands can parse too */
	while ((code = getopt_long(argc, argv, form.letters, form.longs, NULL)) != -1) {
		const struct option_row *row;
		char as = code >= LONG_ONLY ? '-' : (char)code;

		if (code == '?' || code == ':')
			die_of_word(page, &form, code, argv);
		row = find_row(&form, code);
		set_field(page, row, as, is_own(row) ? (char *)&questions : settings);
		if (!is_own(row))
			given->as[row - page->rows] = as;
	}
	answer(page, &questions);
	return optind;
}

int option_parse(const struct option_page *page, void *settings, int argc, char **argv)
{
	struct option_given given;

	return option_parse_given(page, settings, &given, argc, argv);
}

const struct option_row *option_find(const struct option_page *page, const char *name,
				     size_t length)
{
	for (const struct option_row *row = page->rows; row->name != NULL; row++)
		if (strncmp(row->name, name, length) == 0 && row->name[length] == '\0')
			return row;
	return NULL;
}

bool option_typed(const struct option_page *page, const struct option_given *given,
		  const char *name, char *out, size_t size)
{
	const struct option_row *row = option_find(page, name, strlen(name));
	char as;

	assert(row != NULL);
	as = given->as[row - page->rows];
	if (as != 0)
		write_typed(row, as, out, size);
	return as != 0;
}
