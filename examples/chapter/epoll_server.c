/*
 * The echo service in one process by epoll(7). Look at: the kernel keeps the list of what to
 * watch, and epoll_wait() returns only what is ready. So a silent client costs no time.
 */
#include <sys/epoll.h>
#include <errno.h>
#include <time.h>
#include "listen.h"

enum { FLAGS = MSG_DONTWAIT | MSG_NOSIGNAL }; /* do not wait; EPIPE, and no signal */
static struct client {
	int fd;
	ssize_t length, sent;
	char buf[16 * 1024];
} listener;
static struct epoll_event ready[64];
static int epoll;
static time_t full; /* when accept() last found no descriptor or memory */

static int watch(struct client *c, int operation, uint32_t events)
{
	return epoll_ctl(epoll, operation, c->fd,
			 &(struct epoll_event){ .events = events, .data.ptr = c });
}

static void admit(void)
{
	int fd = accept(listener.fd, NULL, NULL);
	struct client *c = fd < 0 ? NULL : malloc(sizeof(*c));

	if (c)
		c->fd = fd, c->length = c->sent = 0;
	if (fd >= 0 && (!c || watch(c, EPOLL_CTL_ADD, EPOLLIN) < 0))
		free(c), close(fd);
	if (fd < 0 && errno != EAGAIN && errno != EINTR)
		full = time(NULL), watch(&listener, EPOLL_CTL_MOD, 0); /* do not spin */
}

static void serve(struct client *c)
{
	ssize_t left = c->length - c->sent, n = left;

	if (left == 0 && (n = recv(c->fd, c->buf, sizeof(c->buf), FLAGS)) > 0)
		c->length = n, c->sent = 0;
	if (n > 0 && (n = send(c->fd, c->buf + c->sent, (size_t)n, FLAGS)) > 0)
		c->sent += n; /* it may be a part */
	if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
		close(c->fd), free(c);
	else if ((left > 0) != (c->sent < c->length))
		watch(c, EPOLL_CTL_MOD, left > 0 ? EPOLLIN : EPOLLOUT);
}

int main(int argc, char *argv[])
{
	listener.fd = listen_on(argc > 1 ? argv[1] : "7007", SOCK_NONBLOCK);
	if ((epoll = epoll_create1(0)) < 0 || watch(&listener, EPOLL_CTL_ADD, EPOLLIN))
		err(1, "epoll");
	for (;;) {
		int n = epoll_wait(epoll, ready, 64, full ? 1000 : -1);

		for (int i = 0; i < n; i++) /* n is -1 after EINTR */
			if (ready[i].data.ptr == &listener)
				admit();
			else
				serve(ready[i].data.ptr);
		if (full && full != time(NULL))
			full = watch(&listener, EPOLL_CTL_MOD, EPOLLIN);
	}
}
