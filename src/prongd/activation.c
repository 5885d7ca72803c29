#include "activation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"

#define FIRST 3 /* SD_LISTEN_FDS_START */

/* Splits names at colons. Returns how many there were. */
static size_t split(char *names, struct activation *activation)
{
	size_t count = 0;

	for (char *name = names; name != NULL; count++) {
		char *end = strchr(name, ':');

		if (end != NULL)
			*end++ = '\0';
		if (count < ACTIVATION_MAX)
			activation->names[count] = name;
		name = end;
	}
	return count;
}

static int take_names(struct activation *activation, struct why *why)
{
	const char *names = getenv("LISTEN_FDNAMES");
	char *copy;
	size_t count;

	for (size_t i = 0; i < activation->count; i++)
		activation->names[i] = "";
	if (names == NULL)
		return 0;
	copy = strdup(names);
	if (copy == NULL)
		return why_fail(why, -ENOMEM, "no memory");
	count = split(copy, activation);
	if (count == activation->count)
		return 0;
	why_set(why, "LISTEN_FDNAMES has %zu names, but LISTEN_FDS says %zu sockets",
		count, activation->count);
	free(copy);
	return -EINVAL;
}

static int take(struct activation *activation, const char *count, struct why *why)
{
	uint64_t number;

	if (number_parse(count, 0, ACTIVATION_MAX, &number) < 0)
		return why_fail(
			why, -EINVAL,
			"LISTEN_FDS is \"%.20s\", not a number of sockets up to %d",
			count, ACTIVATION_MAX);
	activation->count = (size_t)number;
	for (int i = 0; i < (int)number; i++) {
		activation->fds[i] = FIRST + i;
		if (fcntl(FIRST + i, F_SETFD, FD_CLOEXEC) < 0)
			return why_fail(
				why, -EINVAL,
				"LISTEN_FDS says %d sockets, but descriptor %d is not "
				"open",
				(int)number, FIRST + i);
	}
	return take_names(activation, why);
}

int activation_take(struct activation *out, struct why *why)
{
	struct activation activation = { 0 };
	const char *count = getenv("LISTEN_FDS");
	const char *pid = getenv("LISTEN_PID");
	uint64_t number = 0;
	int err = 0;

	/*
	 * Left over from a parent that did not clear it, so not meant for this process.
	 */
	if (count != NULL && pid != NULL &&
	    number_parse(pid, 1, INT_MAX, &number) == 0 && (pid_t)number == getpid())
		err = take(&activation, count, why);
	unsetenv("LISTEN_FDS");
	unsetenv("LISTEN_PID");
	unsetenv("LISTEN_FDNAMES");
	if (err == 0)
		*out = activation;
	return err;
}
