/*
 * Step 2, drain: echo_server that ends in order when it gets SIGTERM.
 * Look at: it closes the listener when the queue is empty and lets sessions finish for
 * SECONDS. After that, or at a second SIGTERM, it kills them. If the server itself is
 * killed, the kernel kills its children (PR_SET_PDEATHSIG).
 *
 *	./draining_server 7007 10	(PORT SECONDS)
 */
#define _GNU_SOURCE 1
#include "echo.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

enum { MOST = 1000 };

static pid_t pids[MOST]; /* of the children, to kill them at the end */
static int children;
static volatile sig_atomic_t terms; /* how often SIGTERM has come */
static sigset_t none;

static void on_signal(int sig)
{
	terms = terms + (sig == SIGTERM);
}

static void reap(void)
{
	for (pid_t pid; (pid = waitpid(-1, NULL, WNOHANG)) > 0;)
		for (int i = 0; i < children; i++)
			if (pids[i] == pid)
				pids[i] = pids[--children];
}

static void serve(int listener)
{
	pid_t server = getpid();
	int fd = accept(listener, NULL, NULL);
	pid_t pid = fd < 0 ? -1 : fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(listener);
		if (getppid() == server) /* or it died before prctl() */
			echo(fd);
		_exit(0);
	}
	if (pid > 0)
		pids[children++] = pid;
	if (fd < 0)
		sleep(1); /* no descriptor or memory left: do not spin */
	else
		close(fd);
}

static void drain(time_t seconds)
{
	time_t now = time(NULL), end = now + seconds;

	dprintf(STDOUT_FILENO, "stopping: %d open\n", children);
	for (; children > 0 && terms == 1 && now < end; now = time(NULL)) {
		ppoll(NULL, 0, &(struct timespec){ .tv_sec = end - now }, &none);
		reap();
	}
	dprintf(STDOUT_FILENO, "stopped: %d cut off\n", children);
	for (int i = 0; i < children; i++)
		kill(pids[i], SIGKILL);
}

int main(int argc, char *argv[])
{
	struct pollfd listener = { .events = POLLIN };
	struct sigaction act = { .sa_handler = on_signal };
	sigset_t both;

	if (argc != 3)
		errx(2, "usage: draining_server PORT SECONDS");
	sigemptyset(&both);
	sigaddset(&both, SIGCHLD);
	sigaddset(&both, SIGTERM);
	sigprocmask(SIG_BLOCK, &both, &none); /* both come in ppoll() alone */
	sigaction(SIGCHLD, &act, NULL);
	sigaction(SIGTERM, &act, NULL);
	listener.fd = listen_on(argv[1]);
	while (terms == 0) {
		if (ppoll(&listener, children < MOST, NULL, &none) > 0)
			serve(listener.fd);
		reap();
	}
	while (children < MOST && poll(&listener, 1, 0) > 0)
		serve(listener.fd); /* clients that were in the queue */
	close(listener.fd);
	drain(atol(argv[2]));
	return 0;
}
