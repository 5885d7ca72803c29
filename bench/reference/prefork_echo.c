/*
 * Reference: 16 processes forked in advance, each accepting for itself on the shared
 * listener, one connection at a time. They die with the parent.
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <signal.h>

#include "echo.h"
#include "listener.h"

static void serve(int listener)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		echo_until_end(fd);
		close(fd);
	}
}

int main(int argc, char **argv)
{
	int listener = listener_open(argc, argv);

	for (int i = 0; i < 16; i++)
		if (fork() == 0)
			serve(listener);
	while (wait(NULL) > 0)
		;
	return 1;
}
