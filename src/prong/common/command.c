#include "command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"

#define LINE_MAX_BYTES 4096

void command_answer(const struct option_page *page, bool help, bool version)
{
	if (!help && !version)
		return;
	if (help)
		option_help(page, stdout);
	else
		puts("prong " PROGRAM_VERSION);
	if (fflush(stdout) != 0)
		die(EXIT_FAILED, page->program, "cannot write to standard output: %s",
		    strerror(errno));
	exit(0);
}

void command_say(const struct option_page *page, const char *format, ...)
{
	char line[LINE_MAX_BYTES];
	va_list args;
	size_t used;

	used = (size_t)snprintf(line, sizeof(line), "%s: ", page->program);
	va_start(args, format);
	used += (size_t)vsnprintf(line + used, sizeof(line) - used, format, args);
	va_end(args);
	if (used > sizeof(line) - 1)
		used = sizeof(line) - 1;
	line[used++] = '\n';
	(void)!write(STDERR_FILENO, line, used);
}
