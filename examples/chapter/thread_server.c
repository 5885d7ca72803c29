/*
 * The echo service with a thread for each client. All threads share one memory.
 * Look at: each descriptor is open once, so main() does not close it, and a detached thread
 * leaves nothing to collect. Both are otherwise in echo_server.c.
 *
 *	cc -pthread thread_server.c -o thread_server && ./thread_server 7007
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
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

static void *serve(void *arg)
{
	int fd = (int)(intptr_t)arg;
	char buf[16 * 1024]; /* on the stack of this thread: not shared */
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 || send_all(fd, buf, n) < 0)
			break;
	}
	close(fd);
	return NULL;
}

int main(int argc, char *argv[])
{
	int listener = listen_on(argc > 1 ? argv[1] : "7007", 0), fd;
	pthread_attr_t detached;
	pthread_t thread;
	void *arg;

	pthread_attr_init(&detached);
	pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
	for (;;) {
		fd = accept(listener, NULL, NULL);
		arg = (void *)(intptr_t)fd; /* the number; main() soon changes fd */
		if (fd >= 0 && pthread_create(&thread, &detached, serve, arg) != 0)
			close(fd); /* no thread left: this client is refused */
		else if (fd < 0 && errno != EINTR)
			sleep(1); /* no descriptor or memory left: do not spin */
	}
}
