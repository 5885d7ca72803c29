/*
 * The echo service in one process by select(2). Look at: only select() waits. serve() does
 * not receive while it has bytes to send, so a client that never reads delays no other one.
 */
#include <sys/select.h>
#include <errno.h>
#include <time.h>
#include "listen.h"

enum { FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL }; /* do not wait; EPIPE, and no signal */
static struct client {
	ssize_t length, sent;
	char buf[16 * 1024];
} clients[FD_SETSIZE];          /* a client's descriptor is its index */
static fd_set reading, writing; /* the descriptors that select() watches */
static int highest;
static time_t full; /* when accept() last found no descriptor or memory */

static void admit(int listener)
{
	int fd = accept(listener, NULL, NULL);

	if (fd >= FD_SETSIZE) {
		close(fd); /* FD_SET() would write past the end of the set */
	} else if (fd >= 0) {
		FD_SET(fd, &reading);
		highest = fd > highest ? fd : highest;
	} else if (errno != EAGAIN && errno != EINTR) {
		full = time(NULL);
	}
}

static void serve(int fd, struct client *c)
{
	ssize_t n = c->length - c->sent;

	FD_CLR(fd, &reading);
	FD_CLR(fd, &writing);
	if (n == 0 && (n = recv(fd, c->buf, sizeof(c->buf), FLAGS)) > 0)
		c->length = n, c->sent = 0;
	if (n > 0 && (n = send(fd, c->buf + c->sent, (size_t)n, FLAGS)) > 0)
		c->sent += n; /* it may be a part */
	if (n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR)))
		FD_SET(fd, c->sent < c->length ? &writing : &reading);
	else
		close(fd), c->length = c->sent = 0;
}

int main(int argc, char *argv[])
{
	int listener = listen_on(argc > 1 ? argv[1] : "7007", SOCK_NONBLOCK);

	for (highest = listener;;) {
		struct timeval second = { .tv_sec = 1 };
		fd_set r = reading, w = writing;
		int pause = full == time(NULL); /* do not spin */

		if (!pause)
			FD_SET(listener, &r);
		if (select(highest + 1, &r, &w, NULL, pause ? &second : NULL) < 0)
			continue; /* EINTR: the sets say nothing */
		for (int fd = 0; fd <= highest; fd++)
			if (fd != listener && (FD_ISSET(fd, &r) || FD_ISSET(fd, &w)))
				serve(fd, &clients[fd]);
		if (FD_ISSET(listener, &r))
			admit(listener);
	}
}
