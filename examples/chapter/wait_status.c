/*
 * wait(): how a child ended, taken apart with the W... macros.
 *
 * Look at: the int that wait() fills in is not the exit status. WIFEXITED says that
 * the child exited; only then does WEXITSTATUS have a meaning. A child that a signal
 * killed has no exit status, and WIFSIGNALED is true.
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
		fflush(stdout); /* or the child gets a copy of the buffer */
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
