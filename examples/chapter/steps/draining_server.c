/*
 * Step 2, drain: echo_server that ends in order when it gets SIGTERM.
 * Look at: it serves the clients in the queue, closes the listener, and lets sessions
 * finish for SECONDS or until a second SIGTERM. Then it exits, and the kernel kills the
 * children that are left (PR_SET_PDEATHSIG), as it does if the server is killed.
 *
 *	./draining_server 7007 10	(PORT SECONDS)
 */
#define _GNU_SOURCE 1
#include "children.h"
#include "echo.h"
#include "signals.h"

#include <sys/prctl.h>
#include <poll.h>
#include <time.h>

static pid_t server; /* this process */
static int children;
static volatile sig_atomic_t terms; /* how often SIGTERM has come */

static void on_signal(int sig)
{
	terms = terms + (sig == SIGTERM);
}

static void echo_with_server(int fd)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() == server) /* or it died before prctl() */
		echo(fd);
}

static void reap(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		children--;
}

static void drain(time_t end, const sigset_t *none)
{
	dprintf(STDOUT_FILENO, "stopping: %d open\n", children);
	for (time_t now; children > 0 && terms == 1 && (now = time(NULL)) < end; reap())
		ppoll(NULL, 0, &(struct timespec){ .tv_sec = end - now }, none);
	dprintf(STDOUT_FILENO, "stopped: %d cut off\n", children);
}

int main(int argc, char *argv[])
{
	struct pollfd listener = { .events = POLLIN };
	sigset_t none;

	if (argc != 3)
		errx(2, "usage: draining_server PORT SECONDS");
	server = getpid();
	sigemptyset(&none);
	catch_in_ppoll(SIGCHLD, on_signal);
	catch_in_ppoll(SIGTERM, on_signal);
	listener.fd = listen_on(argv[1], 0);
	for (; terms == 0; reap())
		if (ppoll(&listener, 1, NULL, &none) > 0)
			children += fork_for_client(listener.fd, echo_with_server) > 0;
	while (poll(&listener, 1, 0) > 0) /* the queue */
		children += fork_for_client(listener.fd, echo_with_server) > 0;
	close(listener.fd);
	drain(time(NULL) + atol(argv[2]), &none);
	return 0;
}
