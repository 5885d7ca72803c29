/*
 * prong, the tool: a table of commands, from which the first word chooses. A new
 * command is a new row.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "bench/bench.h"
#include "bench/bench_options.h"
#include "common/command.h"
#include "connect.h"
#include "connect_options.h"

static const struct command commands[] = {
	{ "connect", &connect_page, connect_run },
	{ "bench", &bench_page, bench_run },
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* No options of its own. */
static const struct option_row rows[] = {
	{ .name = NULL },
};

static const char *const usage[] = {
	"prong COMMAND [OPTION]... [ARGUMENT]...",
	"prong help COMMAND",
	NULL,
};

static void print_commands(FILE *out)
{
	fputs("\nCommands:\n", out);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(out, "  %-10s %s\n", commands[i].name,
			commands[i].page->summary);
	fputs("\n'prong COMMAND --help' describes a command.\n", out);
}

static const struct option_page prong_page = {
	.program = "prong",
	.version = "prong " PROGRAM_VERSION,
	.usage = usage,
	.summary = "Talk to TCP servers and see what they do.",
	.rows = rows,
	.print_more = print_commands,
};

/* If a standard stream is closed, the command's first socket would take its place. */
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
	option_help(argc == 2 ? find_command(argv[1])->page : &prong_page);
}

int main(int argc, char **argv)
{
	int first;

	fill_closed_streams();
	first = option_parse(&prong_page, NULL, argc, argv);
	if (first == argc)
		option_die(&prong_page, "no command is given; \"prong help\" lists "
					"them");
	if (strcmp(argv[first], "help") == 0)
		help(argc - first, argv + first);
	return find_command(argv[first])->run(argc - first, argv + first);
}
