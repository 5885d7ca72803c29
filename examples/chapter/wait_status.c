/*
 * wait(): how a child ended, taken apart with the W... macros.
 *
 * Look at: the int that wait() fills is not the exit status. WIFEXITED says that
 * the child ended by itself, and only then WEXITSTATUS has a meaning; a child
 * killed by a signal passes no number at all, and WIFSIGNALED tells.
 *
 *	./wait_status
 */
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void end_with_3(void)
{
	_exit(3);
}

static void end_with_7(void)
{
	_exit(7);
}

static void end_by_signal(void)
{
	raise(SIGTERM);
}

static void report(pid_t pid, int status)
{
	printf("child %d, status 0x%04x: ", (int)pid, (unsigned)status);
	if (WIFEXITED(status))
		printf("normal termination, passed %d\n", WEXITSTATUS(status));
	else if (WIFSIGNALED(status))
		printf("killed by signal %d (%s)\n", WTERMSIG(status),
		       strsignal(WTERMSIG(status)));
}

int main(void)
{
	void (*const endings[])(void) = { end_with_3, end_with_7, end_by_signal };
	int status;
	pid_t pid;

	for (size_t i = 0; i < sizeof(endings) / sizeof(endings[0]); i++) {
		fflush(stdout); /* or the child has a copy of what waits in it */
		pid = fork();
		if (pid < 0) {
			perror("fork");
			return EXIT_FAILURE;
		}
		if (pid == 0) {
			endings[i]();
			_exit(EXIT_FAILURE);
		}
		pid = wait(&status);
		report(pid, status);
	}
	return EXIT_SUCCESS;
}
