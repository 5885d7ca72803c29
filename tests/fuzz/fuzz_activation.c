/*
 * The variables of a service manager: LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID, one a
 * line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"
#include "prongd/activation.h"

/* A pid of "0", which means no process, becomes ours. */
static void set(const char *name, const char *value)
{
	char pid[24];

	snprintf(pid, sizeof(pid), "%d", getpid());
	CHECK(setenv(name, strcmp(value, "0") == 0 ? pid : value, 1) == 0);
}

static void check_taken(const struct activation *activation, const char *names)
{
	size_t colons = 0;

	CHECK(activation->count <= ACTIVATION_MAX);
	for (size_t i = 0; i < activation->count; i++) {
		CHECK(activation->fds[i] == 3 + (int)i);
		CHECK(activation->names[i] != NULL);
		CHECK(strchr(activation->names[i], ':') == NULL);
	}
	if (names == NULL || activation->count == 0)
		return;
	for (; *names != '\0'; names++)
		colons += *names == ':';
	CHECK(activation->count == colons + 1);
	/* All names are in one copy, which begins with the first name. */
	free((char *)activation->names[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	char *lines[3] = { NULL };
	size_t count = fuzz_split(text, lines, 3);
	struct activation activation;
	struct why why = { "" };

	if (count > 1)
		setenv("LISTEN_FDNAMES", lines[1], 1);
	set("LISTEN_PID", count > 2 ? lines[2] : "0");
	setenv("LISTEN_FDS", lines[0], 1);
	if (activation_take(&activation, &why) == 0)
		check_taken(&activation, count > 1 ? lines[1] : NULL);
	else
		CHECK(strlen(why.text) > 0 && strlen(why.text) < WHY_MAX);
	CHECK(getenv("LISTEN_FDS") == NULL && getenv("LISTEN_PID") == NULL &&
	      getenv("LISTEN_FDNAMES") == NULL);
	free(text);
	return 0;
}
