/*
 * Step 1, limits: echo_server with at most LIMIT processes and an idle timeout.
 * Look at: ppoll() watches the listener only while one more process may be started. At
 * the limit, new clients wait in the kernel's queue. A child's read() or write() fails
 * after SECONDS without a byte, and the child ends.
 *
 *	./limited_server 7007 20 2	(PORT LIMIT SECONDS)
 */
#define _GNU_SOURCE 1
#include "children.h"
#include "echo.h"

#include <sys/time.h>
#include <poll.h>

static struct timeval silence;

static void echo_until_silence(int fd)
{
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence));
	echo(fd);
}

static void on_child(int sig)
{
	(void)sig; /* ppoll() has returned: that is all */
}

/* Blocks a signal, so that only the mask of ppoll() lets it come. */
static void catch_in_ppoll(int sig, void (*handler)(int))
{
	struct sigaction act = { .sa_handler = handler };
	sigset_t one;

	sigemptyset(&one);
	sigaddset(&one, sig);
	sigprocmask(SIG_BLOCK, &one, NULL);
	sigaction(sig, &act, NULL);
}

int main(int argc, char *argv[])
{
	struct pollfd listener = { .events = POLLIN };
	int children = 0, ready;
	sigset_t none;

	if (argc != 4)
		errx(2, "usage: limited_server PORT LIMIT SECONDS");
	silence.tv_sec = atol(argv[3]);
	sigemptyset(&none);
	catch_in_ppoll(SIGCHLD, on_child);
	listener.fd = listen_on(argv[1], 0);
	for (;;) {
		ready = ppoll(&listener, children < atoi(argv[2]), NULL, &none);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			children--;
		if (ready > 0 && fork_for_client(listener.fd, echo_until_silence) > 0)
			children++;
	}
}
