/*
 * Step 1, limits: echo_server with at most LIMIT processes and an idle timeout.
 * Look at: ppoll() watches the listener only while one more process may be started. At
 * the limit, new clients wait in the kernel's queue. A child's read() or write() fails
 * after SECONDS without a byte, and the child ends.
 *
 *	./limited_server 7007 20 2	(PORT LIMIT SECONDS)
 */
#define _GNU_SOURCE 1
#include "echo.h"

#include <sys/time.h>
#include <sys/wait.h>
#include <poll.h>
#include <signal.h>

static void on_child(int sig)
{
	(void)sig; /* ppoll() has returned: that is all */
}

static void set_idle_timeout(int fd, long seconds)
{
	struct timeval silence = { .tv_sec = seconds };

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &silence, sizeof(silence));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &silence, sizeof(silence));
}

/* Returns how many processes it started: 1 or 0. */
static int serve(int listener, long seconds)
{
	int fd = accept(listener, NULL, NULL);
	pid_t pid = fd < 0 ? -1 : fork();

	if (pid == 0) {
		close(listener);
		set_idle_timeout(fd, seconds);
		echo(fd);
		_exit(0);
	}
	if (fd < 0)
		sleep(1); /* no descriptor or memory left: do not spin */
	else
		close(fd);
	return pid > 0;
}

int main(int argc, char *argv[])
{
	struct pollfd listener = { .events = POLLIN };
	struct sigaction act = { .sa_handler = on_child };
	int children = 0, ready;
	sigset_t child, none;

	if (argc != 4)
		errx(2, "usage: limited_server PORT LIMIT SECONDS");
	sigemptyset(&none);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD); /* comes in ppoll() and nowhere else */
	sigprocmask(SIG_BLOCK, &child, NULL);
	sigaction(SIGCHLD, &act, NULL);
	listener.fd = listen_on(argv[1]);
	for (;;) {
		ready = ppoll(&listener, children < atoi(argv[2]), NULL, &none);
		while (waitpid(-1, NULL, WNOHANG) > 0)
			children--;
		if (ready > 0)
			children += serve(listener.fd, atol(argv[3]));
	}
}
