/*
 * waitpid() with WNOHANG: ask without waiting.
 *
 * Look at: while the child runs, waitpid returns 0 at once, and the parent can do
 * something else. When the child has ended, waitpid returns its pid. The argument is
 * the number of seconds that the child runs (default 3).
 *
 *	./waitpid_nohang 3
 */
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static const struct timespec half_a_second = { .tv_nsec = 500 * 1000 * 1000 };

int main(int argc, char *argv[])
{
	unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 3;
	pid_t child, got;
	int status;

	child = fork();
	if (child < 0) {
		perror("fork");
		return EXIT_FAILURE;
	}
	if (child == 0) {
		sleep(seconds);
		_exit(24);
	}

	while ((got = waitpid(-1, &status, WNOHANG)) == 0) {
		puts("waitpid returned 0: not yet, so the parent does other work");
		fflush(stdout);
		nanosleep(&half_a_second, NULL);
	}
	if (got != child) {
		perror("waitpid");
		return EXIT_FAILURE;
	}
	printf("waitpid returned the child's pid; the child passed %d\n",
	       WEXITSTATUS(status));
	return EXIT_SUCCESS;
}
