/*
 * prong, the tool: a table of commands and the choice among them. A further command
 * is a further row.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "bench/bench.h"
#include "bench/bench_options.h"
#include "common/command.h"
#include "connect.h"
#include "connect_options.h"

struct prong_settings {
	bool version, help;
};

static const struct command commands[] = {
	{ "connect", &connect_page, connect_run },
	{ "bench", &bench_page, bench_run },
};

#define COMMANDS    (sizeof(commands) / sizeof(commands[0]))
#define FIELD(name) offsetof(struct prong_settings, name)

static const struct option_row rows[] = {
	{ 'V', "version", NULL, NULL, "print the version and exit", option_flag,
	  FIELD(version), 0, 0, NULL },
	{ 'h', "help", NULL, NULL, "print this and exit", option_flag, FIELD(help), 0,
	  0, NULL },
	{ .name = NULL },
};

static const char *const usage[] = {
	"prong COMMAND [OPTION]... [ARGUMENT]...",
	"prong help COMMAND",
	NULL,
};

static const struct option_page prong_page = {
	.program = "prong",
	.usage = usage,
	.summary = "Talk to TCP servers and see what they do.",
	.rows = rows,
};

/* A command given a closed stream must not find a socket in that stream's place. */
static void fill_closed_streams(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			die(EXIT_FAILED, "prong", "cannot open /dev/null: %s",
			    strerror(errno));
	} while (fd <= STDERR_FILENO);
	close(fd);
}

static _Noreturn void print_help(void)
{
	option_help(&prong_page, stdout);
	puts("\ncommands:");
	for (size_t i = 0; i < COMMANDS; i++)
		printf("  %-10s %s\n", commands[i].name, commands[i].page->summary);
	puts("\n'prong COMMAND --help' tells more.");
	if (fflush(stdout) != 0)
		die(EXIT_FAILED, "prong", "cannot write to standard output: %s",
		    strerror(errno));
	exit(0);
}

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	option_die(&prong_page, "unknown command \"%.80s\"", name);
}

/* "prong help" and "prong help COMMAND" */
static _Noreturn void help(int argc, char **argv)
{
	if (argc > 2)
		option_die(&prong_page, "unexpected \"%.80s\" after the command",
			   argv[2]);
	if (argc == 2)
		command_answer(find_command(argv[1])->page, true, false);
	print_help();
}

int main(int argc, char **argv)
{
	struct prong_settings settings = { .help = false };
	int first;

	fill_closed_streams();
	first = option_parse(&prong_page, &settings, argc, argv);
	if (settings.help)
		print_help();
	command_answer(&prong_page, false, settings.version);
	if (first == argc)
		option_die(&prong_page, "which command? \"prong help\" lists them");
	if (strcmp(argv[first], "help") == 0)
		help(argc - first, argv + first);
	return find_command(argv[first])->run(argc - first, argv + first);
}
