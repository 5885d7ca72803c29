/*
 * Reference: one connection at a time in one process. Shows the cost of a read and a
 * write alone.
 */
#include <signal.h>

#include "echo.h"
#include "listener.h"

int main(int argc, char **argv)
{
	int listener = listener_open(argc, argv);

	signal(SIGPIPE, SIG_IGN);
	for (;;) {
		int fd = accept(listener, NULL, NULL);

		echo_until_end(fd);
		close(fd);
	}
}
