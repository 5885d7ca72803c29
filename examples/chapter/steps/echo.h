/*
 * What the four steps have in common with echo_server: how it listens (listen.h), and how
 * it echoes and leaves. Each step's own file has only what the step changes.
 */
#ifndef STEPS_ECHO_H
#define STEPS_ECHO_H

#include "../listen.h"

static int write_all(int fd, const char *data, ssize_t left)
{
	for (ssize_t n; left > 0; data += n, left -= n)
		if ((n = write(fd, data, (size_t)left)) < 0)
			return -1;
	return 0;
}

/* Returns at the end of the input, and at any failure. */
static inline void echo(int fd)
{
	static char buf[64 * 1024];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0)
		if (write_all(fd, buf, n) < 0)
			return;
}

#endif
