/*
 * A command of the tool: the contents of a row of main.c's table, and what all commands
 * share.
 */
#ifndef PRONG_COMMON_COMMAND_H
#define PRONG_COMMON_COMMAND_H

#include "base/option.h"

struct command {
	const char *name; /* as typed after "prong" */
	const struct option_page *page;
	int (*run)(int argc, char **argv); /* argv[0]: the name; returns the status */
};

/*
 * Writes "program: message\n" on stderr, as die() does, and returns. Makes one
 * write(2), so that the lines of two processes do not mix.
 */
void command_say(const struct option_page *page, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
