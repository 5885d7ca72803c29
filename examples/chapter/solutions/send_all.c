/*
 * Exercise 24: send all of a buffer, with no SIGPIPE, and say how much was sent.
 * MSG_NOSIGNAL turns the signal into the error EPIPE. The first call
 * has a peer; the second has none any more.
 *
 *	./send_all
 */
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Returns 0 or a negative errno; *sent tells how much left in either case. */
static int send_all(int fd, const char *data, size_t size, size_t *sent)
{
	for (*sent = 0; *sent < size;) {
		ssize_t n = send(fd, data + *sent, size - *sent, MSG_NOSIGNAL);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			*sent += (size_t)n;
	}
	return 0;
}

int main(void)
{
	static char data[1000];
	size_t sent;
	int pair[2], err;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0)
		return 1;
	err = send_all(pair[0], data, sizeof(data), &sent);
	printf("peer open: %zu of %zu sent, %s\n", sent, sizeof(data), strerror(-err));
	close(pair[1]);
	err = send_all(pair[0], data, sizeof(data), &sent);
	printf("peer closed: %zu of %zu sent, %s\n", sent, sizeof(data),
	       strerror(-err));
	return 0;
}
