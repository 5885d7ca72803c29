/*
 * Reference: a process for every connection, forked after accept. The least that a
 * competent author writes: no limit, no timeout, no log.
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>

#include "echo.h"
#include "listener.h"

static void reap(int signal)
{
	int saved = errno;

	(void)signal;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = reap, .sa_flags = SA_RESTART };
	int listener = listener_open(argc, argv);

	sigaction(SIGCHLD, &action, NULL);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		if (fd >= 0 && fork() == 0) {
			close(listener);
			echo_until_end(fd);
			_exit(0);
		}
		close(fd);
	}
}
