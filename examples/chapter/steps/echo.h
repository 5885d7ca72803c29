/*
 * What the four steps have in common with echo_server: how it listens, and how it echoes
 * and leaves. Each step's own file has only what the step changes.
 */
#ifndef STEPS_ECHO_H
#define STEPS_ECHO_H

#include <sys/socket.h>
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Returns a listening socket on 127.0.0.1, and prints its port (0: any free one). */
static int listen_on(const char *port)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	char *end;
	unsigned long number = strtoul(port, &end, 10);

	if (end == port || *end != '\0' || number > 65535)
		errx(2, "%s is no port", port);
	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	at.sin_port = htons((in_port_t)number);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(listener, 4096) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &(socklen_t){ sizeof(at) }))
		err(1, "port %s", port);
	dprintf(STDOUT_FILENO, "listening on 127.0.0.1:%d\n", ntohs(at.sin_port));
	return listener;
}

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
