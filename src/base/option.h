/*
 * Command lines from tables. A row is an option; parsing, --help and the manual page
 * are all made from it. The values are stored in a settings structure of the program.
 *
 * -h, --help and -V, --version belong to every table without rows of their own: they
 * are listed last, and option_parse() handles them.
 */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "why.h"

#define OPTION_LIST_MAX 256 /* repeats of an option that may be repeated */
#define OPTION_ROWS_MAX 64  /* of a page, with --version and --help */

struct option_row;

/*
 * Stores value (NULL for a flag) in field. Returns 0, or -EINVAL with a sentence in
 * why; the caller puts the option's name before it.
 */
typedef int option_parser(const struct option_row *row, const char *value, void *field,
			  struct why *why);

struct option_row {
	char letter;          /* 0: it has only a long name */
	const char *name;     /* NULL ends the table */
	const char *argument; /* in --help; NULL: it takes none */
	const char *initial;  /* the default, as text; NULL: none to show */
	const char *help;     /* sentences without a final full stop */
	option_parser *parse;
	size_t field;             /* offsetof() into the settings */
	uint64_t min, max;        /* for option_number */
	const char *const *words; /* for option_word; NULL ends them */
};

/* A heading, and the long name of the first of the rows that stand below it. */
struct option_group {
	const char *title; /* NULL ends the list */
	const char *first;
};

/* A program, or a command of one, as --help and the manual show it. */
struct option_page {
	const char *program;      /* "prong connect" */
	const char *version;      /* what --version prints: "prong 1.2.3" */
	const char *const *usage; /* lines of the synopsis, NULL-terminated */
	const char *summary;      /* what it does, one sentence */
	const struct option_row *rows;
	const struct option_group *groups; /* in the order of the rows; NULL: none */
	const char *epilogue;              /* after the options; NULL: nothing */
	void (*print_more)(FILE *out);     /* prints the end of --help; NULL: nothing */
};

struct option_strings {
	unsigned count;
	const char *at[OPTION_LIST_MAX + 1]; /* NULL-terminated; not copies */
};

/*
 * How each row of a page was given. 0: not at all; its letter; or '-': by its long
 * name.
 */
struct option_given {
	char as[OPTION_ROWS_MAX];
};

option_parser option_flag;     /* bool: set to true */
option_parser option_count;    /* unsigned: adds one each time */
option_parser option_number;   /* unsigned: min to max of the row */
option_parser option_duration; /* int64_t, in milliseconds: a field in _ms */
option_parser option_word;     /* unsigned, or an enum: which of the row's words */
option_parser option_string;   /* const char *: the argument itself */
option_parser option_strings;  /* struct option_strings: appends one */

/*
 * Reads the options of argv into settings, up to the first word that is not an option,
 * or "--". Returns the index of the first word after them. If the usage is bad it says
 * on stderr what is wrong and how to get help, and exits with 2.
 *
 * If --help or --version is among the options, it prints that text on stdout instead,
 * after reading all options, and exits with 0; --help wins over --version. If stdout
 * cannot be written, it says so on stderr and exits with 1.
 */
int option_parse(const struct option_page *page, void *settings, int argc, char **argv);

/* Like option_parse(); *given tells which options were given. */
int option_parse_given(const struct option_page *page, void *settings,
		       struct option_given *given, int argc, char **argv);

/*
 * Whether the option with this long name was given. If so, out receives it as it was
 * typed: "-s" or "--spare".
 */
bool option_typed(const struct option_page *page, const struct option_given *given,
		  const char *name, char *out, size_t size);

/* The row of the option with this long name; NULL: the page has none. */
const struct option_row *option_find(const struct option_page *page, const char *name,
				     size_t length);

/*
 * The row after row in the page's table; after NULL, the first. The rows of --version
 * and --help come after the page's own. Returns NULL at the end.
 */
const struct option_row *option_next(const struct option_page *page,
				     const struct option_row *row);

/* The title of the group that begins with this row; NULL: none does. */
const char *option_heading(const struct option_page *page,
			   const struct option_row *row);

/* Prints the --help text on stdout and exits, as option_parse() does. */
_Noreturn void option_help(const struct option_page *page);

/* Says on stderr what is wrong with the usage, and how to get help; exits with 2. */
_Noreturn void option_die(const struct option_page *page, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
