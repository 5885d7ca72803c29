#include "secrets.h"

#include <stdbool.h>
#include <string.h>

/*
 * PATH is handed to programs; tzset(3) and, for --resolve, resolver(3) read the others.
 */
static const char *const read_later[] = { "PATH",        "TZ",          "TZDIR",
					  "LOCALDOMAIN", "RES_OPTIONS", "HOSTALIASES" };

static bool is_named(const char *variable, const char *name)
{
	size_t length = strlen(name);

	return strncmp(variable, name, length) == 0 && variable[length] == '=';
}

static bool is_in(const char *variable, const char *const *names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (is_named(variable, names[i]))
			return true;
	return false;
}

void secrets_forget(char **environment, const char *const *keep, size_t count)
{
	char **kept = environment;

	for (char **at = environment; *at != NULL; at++)
		if (is_in(*at, read_later,
			  sizeof(read_later) / sizeof(read_later[0])) ||
		    is_in(*at, keep, count))
			*kept++ = *at;
		else
			explicit_bzero(*at, strlen(*at));
	*kept = NULL;
}
