#include "children.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int children_open(void)
{
	return open("/proc/thread-self/children", O_RDONLY | O_CLOEXEC);
}

int children_open_of(pid_t pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

void children_each(int list, void (*visit)(void *arg, pid_t pid), void *arg)
{
	char text[4096 + 1];
	size_t kept = 0;
	off_t at = 0;
	ssize_t n;

	while ((n = pread(list, text + kept, sizeof(text) - 1 - kept, at)) > 0) {
		char *rest = text;
		char *end;

		at += n;
		kept += (size_t)n;
		text[kept] = '\0';
		/* A number is whole when the blank behind it has come too. */
		for (long pid = strtol(rest, &end, 10); *end == ' ';
		     pid = strtol(rest, &end, 10)) {
			visit(arg, (pid_t)pid);
			rest = end + 1;
		}
		kept -= (size_t)(rest - text);
		memmove(text, rest, kept);
	}
}

struct others {
	bool (*is_ours)(void *arg, pid_t pid);
	void *arg;
};

static void kill_other(void *arg, pid_t pid)
{
	const struct others *others = arg;

	if (!others->is_ours(others->arg, pid))
		kill(pid, SIGKILL);
}

void children_kill_others(bool (*is_ours)(void *arg, pid_t pid), void *arg)
{
	struct others others = { is_ours, arg };
	int list = children_open();

	children_each(list, kill_other, &others);
	if (list >= 0)
		close(list);
}
