/*
 * The echo service for one client at a time, for comparison with the three approaches.
 * Look at: main() accepts the next client only when the last one has left.
 *
 *	./iterative_server 7007		(and elsewhere: ./echo_client 127.0.0.1 7007)
 */
#include <errno.h>
#include "listen.h"

static int send_all(int fd, const char *data, ssize_t left)
{
	ssize_t n;

	while (left > 0) {
		n = send(fd, data, (size_t)left, MSG_NOSIGNAL);
		if (n < 0 && errno != EINTR)
			return -1; /* EPIPE or ECONNRESET: the client has left */
		if (n > 0) {
			data += n; /* it may be a part */
			left -= n;
		}
	}
	return 0;
}

static void echo(int fd)
{
	static char buf[16 * 1024];
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || send_all(fd, buf, n) < 0)
			return;
	}
}

int main(int argc, char *argv[])
{
	int listener = listen_on(argc > 1 ? argv[1] : "7007", 0), fd;

	for (;;) {
		fd = accept(listener, NULL, NULL);
		if (fd >= 0) {
			echo(fd);
			close(fd);
		} else if (errno != EINTR) {
			sleep(1); /* no descriptor or memory left: do not spin */
		}
	}
}
