/*
 * Reference: all connections in one process, level-triggered epoll. A client that
 * does not read its echo stops the others: good enough to compare with, no more.
 */
#include <sys/epoll.h>
#include <sys/ioctl.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "listener.h"

static void write_all(int fd, const char *bytes, size_t length)
{
	while (length > 0) {
		struct pollfd writable = { .fd = fd, .events = POLLOUT };
		ssize_t done = write(fd, bytes, length);

		if (done < 0 && errno != EAGAIN)
			return;
		if (done < 0)
			poll(&writable, 1, -1);
		else
			bytes += done, length -= (size_t)done;
	}
}

static void accept_all(int listener, int epoll)
{
	int fd;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
		struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

		epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
	}
}

static void echo_once(int fd)
{
	static char buffer[65536];
	ssize_t got = read(fd, buffer, sizeof(buffer));

	if (got > 0)
		write_all(fd, buffer, (size_t)got);
	else if (got == 0 || errno != EAGAIN)
		close(fd);
}

int main(int argc, char **argv)
{
	int listener = listener_open(argc, argv);
	int epoll = epoll_create1(0);
	struct epoll_event events[256] = { { .events = EPOLLIN, .data.fd = listener } };

	signal(SIGPIPE, SIG_IGN);
	ioctl(listener, FIONBIO, &(int){ 1 });
	epoll_ctl(epoll, EPOLL_CTL_ADD, listener, events);
	for (;;) {
		int count = epoll_wait(epoll, events, 256, -1);

		for (int i = 0; i < count; i++) {
			if (events[i].data.fd == listener)
				accept_all(listener, epoll);
			else
				echo_once(events[i].data.fd);
		}
	}
}
