#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

#define LINE_MAX_BYTES 4096

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
