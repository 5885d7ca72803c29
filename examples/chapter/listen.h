/*
 * How the servers here and in steps/ listen: on 127.0.0.1, at the port that their first
 * argument names.
 */
#ifndef CHAPTER_LISTEN_H
#define CHAPTER_LISTEN_H

#include <sys/socket.h>
#include <arpa/inet.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Returns a listening socket, and prints its port (0: any free one). flags: of socket(2). */
static int listen_on(const char *port, int flags)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM | flags, 0), on = 1;
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

#endif
