/*
 * Exercise 6: run a command, say how it ended, and pass that on as a shell does.
 * The exit status is the command's own; 128 + N if signal N killed it; 127 if there is no
 * such command.
 *
 *	./how_ended sh -c 'exit 7'
 */
#include <sys/wait.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int report(int status)
{
	if (WIFEXITED(status)) {
		printf("exited with %d\n", WEXITSTATUS(status));
		return WEXITSTATUS(status);
	}
	printf("killed by %s%s\n", strsignal(WTERMSIG(status)),
	       WCOREDUMP(status) ? " (core dumped)" : "");
	return 128 + WTERMSIG(status);
}

int main(int argc, char *argv[])
{
	int status;
	pid_t pid;

	if (argc < 2) {
		fprintf(stderr, "usage: how_ended COMMAND [ARGUMENT]...\n");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		execvp(argv[1], argv + 1);
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0) {
		perror("how_ended");
		return 1;
	}
	return report(status);
}
