/*
 * One deliberate bug, the same in every server that is compiled with this header:
 *
 *	cc -include trouble/trouble.h select_server.c
 *
 * A client that sends one of these three lines, and nothing before its echo, sets it off:
 *
 *	please crash		write through a wild pointer
 *	please compute		calculate for two seconds
 *	please leak		take 200 MB of memory and lose the only pointer to it
 */
#include <sys/socket.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double trouble_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int trouble_is(const char *line, const char *data, ssize_t length)
{
	return length == (ssize_t)strlen(line) && memcmp(data, line, strlen(line)) == 0;
}

/* Looks at what a client has sent, and returns its length. */
static ssize_t trouble(const char *data, ssize_t length)
{
	const size_t bytes = 200 * 1000 * 1000, page = 4096;
	volatile int *volatile wild = (int *)4096;
	volatile char *lost;

	if (trouble_is("please crash\n", data, length))
		*wild = 1;
	if (trouble_is("please compute\n", data, length))
		for (double end = trouble_clock() + 2; trouble_clock() < end;)
			;
	if (trouble_is("please leak\n", data, length) && (lost = malloc(bytes)) != NULL)
		for (size_t at = 0; at < bytes; at += page)
			lost[at] = 1; /* a page counts once it is written to */
	return length;
}

/* Each server receives by one of these. */
#ifdef PRONG_H
#define prong_recv(conn, data, size) trouble(data, prong_recv(conn, data, size))
#else
#define read(fd, data, size)        trouble(data, read(fd, data, size))
#define recv(fd, data, size, flags) trouble(data, recv(fd, data, size, flags))
#endif
