/*
 * load: makes connections to an echo server, verifies every byte, times every step
 * and counts every failure by its kind.
 *
 * Owns the command line and the exit status: 0 no failure, 1 some, 2 bad usage.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mode.h"
#include "report.h"

#define MOST_CONNECTIONS 10000000 /* of -c: memory is got for each */

static const struct option_row {
	char letter;
	const char *name;
	const char *value; /* NULL: takes none */
	const char *help;
} rows[] = {
	{ 'n', "count", "COUNT", "churn: connections; keep: round trips; in all" },
	{ 'c', "connections", "N", "connections open at once" },
	{ 's', "size", "SIZE", "bytes of an exchange, K M G" },
	{ 'b', "bytes", "BYTES", "bytes of a stream, K M G" },
	{ 'r', "rate", "N/s", "connections a second" },
	{ 'd', "duration", "SECONDS", "begin connections for so long" },
	{ 'w', "wait", NULL, "hold: print \"held N\", go on at a line on stdin" },
	{ 'a', "source", "ADDR[/COUNT]", "come from COUNT addresses in turn, IPv4" },
	{ 't', "timeout", "SECONDS", "a connection without progress has failed" },
	{ 'h', "help", NULL, "print this" },
};

#define LETTERS_OF_ALL "ath" /* every mode takes them */
#define ROWS           (sizeof(rows) / sizeof(rows[0]))

static void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
	va_list args;

	fputs("load: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputs("\nTry 'load --help'.\n", stderr);
	exit(2);
}

static void print_letters(const struct mode *mode)
{
	for (const char *letter = mode->letters; *letter; letter++)
		printf(" -%c", *letter);
}

static void __attribute__((noreturn)) print_help(void)
{
	printf("Usage: load MODE [OPTION]... HOST:PORT | [IPV6]:PORT | unix:/path\n\n"
	       "Load an echo server; the result is one line of JSON.\n\nModes:\n");
	for (size_t i = 0; mode_at(i); i++) {
		printf("  %-8s%s\n          options:", mode_at(i)->name,
		       mode_at(i)->summary);
		print_letters(mode_at(i));
		printf("\n");
	}
	printf("\nOptions:\n");
	for (size_t i = 0; i < ROWS; i++)
		printf("  -%c, --%-11s %-13s %s\n", rows[i].letter, rows[i].name,
		       rows[i].value ? rows[i].value : "", rows[i].help);
	printf("\nDefaults: churn -n 10000 -c 16, keep -n 10000 -c 1, hold -c 100,\n"
	       "stream -c 1 -b 64M, rate -r 100 -d 5; -s 64, --timeout 30.\n"
	       "Exit status: 0 no failure, 1 some, 2 bad usage.\n");
	exit(fflush(stdout) == 0 ? 0 : 1);
}

/* A whole number from 1 to limit, with K, M or G for powers of 1024 if suffixed. */
static uint64_t parse_count(const char *text, uint64_t limit, bool suffixed)
{
	static const char suffixes[] = "KMG";
	char *end;
	unsigned shift = 0;
	uint64_t value;

	if (*text < '0' || *text > '9')
		die("%s: not a number", text);
	errno = 0;
	value = strtoull(text, &end, 10);
	if (suffixed && *end && strchr(suffixes, *end))
		shift = 10 * (unsigned)(strchr(suffixes, *end++) - suffixes + 1);
	if (*end)
		die("%s: not a number", text);
	if (errno != 0 || value < 1 || value > limit >> shift)
		die("%s: out of range", text);
	return value << shift;
}

/* A number above 0, at most limit, which may end in tail. */
static double parse_real(const char *text, double limit, const char *tail)
{
	char *end;
	double value;

	if (strspn(text, "0123456789.") == 0)
		die("%s: not a number", text);
	value = strtod(text, &end);
	if (*end && strcmp(end, tail) != 0)
		die("%s: not a number", text);
	if (!(value >= 1e-3 && value <= limit))
		die("%s: out of range", text);
	return value;
}

static void take_option(struct options *options, int letter, const char *value)
{
	switch (letter) {
	case 'n':
		options->count = parse_count(value, UINT64_C(1) << 40, false);
		break;
	case 'c':
		options->connections = parse_count(value, MOST_CONNECTIONS, false);
		break;
	case 's':
	case 'b':
		options->bytes = parse_count(value, UINT64_C(1) << 50, true);
		break;
	case 'r':
		options->rate = parse_real(value, 1e6, "/s");
		break;
	case 'd':
		options->duration = parse_real(value, 1e6, "s");
		break;
	case 'w':
		options->wait = true;
		break;
	case 'a':
		if (source_parse(&options->source, value) < 0)
			die("%s: not ADDR or ADDR/COUNT, IPv4", value);
		break;
	case 't':
		options->timeout = parse_real(value, 1e6, "s");
		break;
	case 'h':
		print_help();
	}
}

/* getopt_long's two tables, from ours. */
static void make_getopt_tables(struct option *longs, char *letters)
{
	*letters++ = ':';
	for (size_t i = 0; i < ROWS; i++) {
		longs[i] = (struct option){
			.name = rows[i].name,
			.has_arg = rows[i].value ? required_argument : no_argument,
			.val = rows[i].letter,
		};
		*letters++ = rows[i].letter;
		if (rows[i].value)
			*letters++ = ':';
	}
	*letters = '\0';
	longs[ROWS] = (struct option){ 0 };
}

static void parse_options(struct options *options, int argc, char **argv)
{
	struct option longs[ROWS + 1];
	char letters[2 * ROWS + 2];
	int letter;

	make_getopt_tables(longs, letters);
	opterr = 0;
	while ((letter = getopt_long(argc, argv, letters, longs, NULL)) != -1) {
		if (letter == ':')
			die("%s: needs a value", argv[optind - 1]);
		if (letter == '?')
			die("%s: no such option", argv[optind - 1]);
		if (!strchr(LETTERS_OF_ALL, letter) &&
		    !strchr(options->mode->letters, letter))
			die("-%c is not an option of %s", letter, options->mode->name);
		take_option(options, letter, optarg);
	}
	if (argc - optind != 1)
		die(argc == optind ? "no target" : "more than one target");
	if (target_parse(&options->target, argv[optind]) < 0)
		die("%s: not HOST:PORT (numeric), [IPV6]:PORT or unix:/path",
		    argv[optind]);
	if (options->source.count > 0 && options->target.any.sa.sa_family != AF_INET)
		die("--source is for an IPv4 target");
}

static void parse_command(struct options *options, int argc, char **argv)
{
	const struct mode *mode;

	if (argc < 2)
		die("no mode");
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		print_help();
	mode = mode_find(argv[1]);
	if (!mode)
		die("%s: no such mode", argv[1]);
	*options = mode->defaults;
	options->mode = mode;
	options->timeout = 30;
	parse_options(options, argc - 1, argv + 1);
}

int main(int argc, char **argv)
{
	struct options options;
	struct run *run = NULL;
	int status;
	int err;

	signal(SIGPIPE, SIG_IGN);
	parse_command(&options, argc, argv);
	err = run_open(&run, &options);
	if (err == -EMFILE)
		die("the hard limit on open files is too low for so many connections");
	if (err < 0)
		die("cannot start: %s", strerror(-err));
	run_all(run);
	status = run_failed(run) > 0 ? 1 : 0;
	if (report_print(run) < 0)
		status = 1;
	run_close(run);
	return status;
}
