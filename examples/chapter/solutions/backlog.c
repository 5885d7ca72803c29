/*
 * Exercise 22: how many connections does the kernel finish before accept() is called?
 * This listens with a backlog of N, never accepts, and connects until a connection is not
 * open within a moment.
 *
 *	./backlog 5
 */
#include <sys/socket.h>

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MOMENT_MS = 300 };

static int connects(const struct sockaddr_in *to)
{
	struct pollfd ready = { .events = POLLOUT };

	ready.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (ready.fd < 0)
		return 0;
	if (connect(ready.fd, (const struct sockaddr *)to, sizeof(*to)) == 0)
		return 1;
	return poll(&ready, 1, MOMENT_MS) == 1 && (ready.revents & POLLERR) == 0;
}

int main(int argc, char *argv[])
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	int listener = socket(AF_INET, SOCK_STREAM, 0), open = 0;
	int backlog = argc > 1 ? atoi(argv[1]) : 5;
	socklen_t size = sizeof(at);

	at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(listener, (struct sockaddr *)&at, size) < 0 ||
	    listen(listener, backlog) < 0 ||
	    getsockname(listener, (struct sockaddr *)&at, &size) < 0) {
		perror("backlog");
		return 1;
	}
	while (open <= backlog + 10 && connects(&at))
		open++;
	printf("backlog %d: %d connections are open, none accepted\n", backlog, open);
	return 0;
}
