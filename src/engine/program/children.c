#include "children.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LIST "/proc/thread-self/children"

int children_open(void)
{
	return open(LIST, O_RDONLY | O_CLOEXEC);
}

int children_try(const char *what, struct why *why)
{
	int list = children_open();

	if (list < 0)
		return why_fail(why, -ENOTSUP,
				"%s needs " LIST ": %s: mount /proc; the kernel needs "
				"CONFIG_PROC_CHILDREN",
				what, strerror(errno));
	close(list);
	return 0;
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
		/* A number is complete when the blank after it has been read too. */
		for (long pid = strtol(rest, &end, 10); *end == ' ';
		     pid = strtol(rest, &end, 10)) {
			visit(arg, (pid_t)pid);
			rest = end + 1;
		}
		kept -= (size_t)(rest - text);
		memmove(text, rest, kept);
	}
}

uint64_t children_began(pid_t pid)
{
	char text[1024] = "";
	unsigned long long began = 0;
	const char *rest;
	int fd;

	snprintf(text, sizeof(text), "/proc/%d/stat", pid);
	fd = open(text, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	memset(text, 0, sizeof(text));
	if (read(fd, text, sizeof(text) - 1) < 0)
		text[0] = '\0';
	close(fd);
	/*
	 * The second field is a name in parentheses, which may itself contain
	 * parentheses.
	 */
	rest = strrchr(text, ')');
	for (int field = 2; rest != NULL && field < 22; field++)
		rest = strchr(rest + 1, ' ');
	if (rest != NULL)
		began = strtoull(rest, NULL, 10);
	return began;
}

uint64_t children_draw_line(void)
{
	int64_t tick_ns = 1000000000 / sysconf(_SC_CLK_TCK);
	struct timespec now;
	struct timespec rest;

	clock_gettime(CLOCK_BOOTTIME, &now);
	rest = (struct timespec){ .tv_nsec = tick_ns - now.tv_nsec % tick_ns };
	while (clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) == EINTR)
		;
	return ((uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec) /
	       (uint64_t)tick_ns;
}
