#include "why.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char mark[] = "...";

/* Writes from offset used; a text that does not fit ends in the mark. */
static void write_from(struct why *why, size_t used, const char *format, va_list args)
{
	size_t room = sizeof(why->text) - used;
	int length = vsnprintf(why->text + used, room, format, args);

	if (length >= 0 && (size_t)length >= room)
		memcpy(why->text + sizeof(why->text) - sizeof(mark), mark,
		       sizeof(mark));
}

void why_set(struct why *why, const char *format, ...)
{
	va_list args;

	if (why == NULL)
		return;
	va_start(args, format);
	write_from(why, 0, format, args);
	va_end(args);
}

int why_fail(struct why *why, int error, const char *format, ...)
{
	va_list args;

	if (why == NULL)
		return error;
	va_start(args, format);
	write_from(why, 0, format, args);
	va_end(args);
	return error;
}

int why_call(struct why *why, int error, const char *what, const char *call)
{
	const char *cure = "";

	if (error == -EPERM || error == -ENOSYS)
		cure = ": allow this call in the container's seccomp profile or in "
		       "systemd's SystemCallFilter=";
	return why_fail(why, error, "cannot %s: %s: %s%s", what, call, strerror(-error),
			cure);
}

int why_kernels(int error)
{
	return error == -EINVAL ? -ENOTSUP : error;
}

void why_prepend(struct why *why, const char *format, ...)
{
	struct why said;
	va_list args;

	if (why == NULL)
		return;
	said = *why;
	va_start(args, format);
	write_from(why, 0, format, args);
	va_end(args);
	why_append(why, "%s", said.text);
}

void why_append(struct why *why, const char *format, ...)
{
	va_list args;

	if (why == NULL)
		return;
	va_start(args, format);
	write_from(why, strlen(why->text), format, args);
	va_end(args);
}
