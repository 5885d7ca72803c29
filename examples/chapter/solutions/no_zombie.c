/*
 * Exercise 4: a parent that never collects its child and still leaves no zombie.
 * With SIGCHLD ignored the kernel removes each child as soon as it ends. The price: the
 * exit status is lost, and waitpid() waits for the last child and then fails.
 *
 *	./no_zombie
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(void)
{
	pid_t pid;

	signal(SIGCHLD, SIG_IGN);
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return EXIT_FAILURE;
	}
	if (pid == 0)
		_exit(7);
	if (waitpid(pid, NULL, 0) < 0)
		printf("waitpid: %s\n", strerror(errno));
	if (kill(pid, 0) < 0) /* signal 0: only ask whether the process exists */
		printf("kill: %s\n", strerror(errno));
	return EXIT_SUCCESS;
}
