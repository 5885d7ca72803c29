/* Does what a handler may do in the sandbox, mostly through libc. */
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/time.h>

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "escapes.h"
#include "line.h"

static struct prong_conn *connection;

static const char *memory_fails(void)
{
	for (size_t size = 100; size <= 10u << 20; size *= 10) {
		char *memory = malloc(size);

		if (memory == NULL)
			return "malloc";
		memset(memory, 'x', size);
		memory = realloc(memory, size / 2);
		if (memory == NULL || memory[size / 2 - 1] != 'x')
			return "realloc";
		free(memory);
	}
	return NULL;
}

static const char *time_fails(void)
{
	struct timespec moment = { 0, 1000000 };
	struct timeval day;
	time_t now_is = time(NULL);
	struct tm parts;
	char text[80];

	if (nanosleep(&moment, NULL) < 0 || usleep(1000) < 0)
		return "nanosleep";
	if (clock() == (clock_t)-1 || gettimeofday(&day, NULL) < 0 ||
	    clock_gettime(CLOCK_MONOTONIC, &moment) < 0)
		return "clock";
	if (localtime_r(&now_is, &parts) == NULL ||
	    strftime(text, sizeof(text), "%c %Z %z", &parts) == 0)
		return "strftime";
	/* Without TZ these check each time whether /etc/localtime has changed. */
	if (getenv("TZ") != NULL &&
	    (localtime(&now_is) == NULL || mktime(&parts) != now_is))
		return "mktime";
	return NULL;
}

static const char *output_fails(void)
{
	char text[200] = "", random[8] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");

	if (out == NULL ||
	    fprintf(out, "%d %s %.3f %p", 7, "x", 1.5, (void *)text) < 0 ||
	    fclose(out) != 0 || strncmp(text, "7 x 1.500 0x", 12) != 0)
		return "fprintf";
	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return "getrandom";
	if (getpid() <= 1 || getppid() <= 1)
		return "getpid";
	return NULL;
}

/* The descriptor may be used directly too; the bytes moved are counted at the end. */
static const char *descriptor_fails(void)
{
	struct pollfd ready = { .fd = prong_conn_fd(connection), .events = POLLOUT };
	struct sockaddr_storage name;
	socklen_t size = sizeof(name);

	if (poll(&ready, 1, 1000) != 1 ||
	    getpeername(ready.fd, (struct sockaddr *)&name, &size) < 0)
		return "poll";
	return write(ready.fd, "hello\n", 6) == 6 ? NULL : "write";
}

int works(struct prong_conn *conn, void *arg)
{
	const char *(*const steps[])(void) = { memory_fails, time_fails, output_fails,
					       descriptor_fails };
	const char *fails = NULL;
	char line[100];

	(void)arg;
	connection = conn;
	if (!read_line(conn, line, sizeof(line)))
		return 0;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]) && fails == NULL; i++)
		fails = steps[i]();
	if (fails == NULL)
		fails = "done";
	return prong_send(conn, fails, strlen(fails));
}
