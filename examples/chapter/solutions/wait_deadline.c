/*
 * Exercise 8: wait for a child, but not for ever, and without asking again and again.
 * pidfd_open(2) gives a descriptor that becomes readable when the process ends, and
 * poll() has a timeout. A child that is too late is killed and collected.
 *
 *	./wait_deadline 1 500		(the child's seconds, the deadline in milliseconds)
 */
#include <sys/syscall.h>
#include <sys/wait.h>

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(int argc, char *argv[])
{
	struct pollfd ended = { .events = POLLIN };
	int status, ready;
	pid_t pid;

	if (argc != 3) {
		fprintf(stderr, "usage: wait_deadline SECONDS MILLISECONDS\n");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		sleep((unsigned)atoi(argv[1]));
		_exit(24);
	}
	ended.fd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
	if (ended.fd < 0) {
		perror("wait_deadline");
		return 1;
	}
	ready = poll(&ended, 1, atoi(argv[2]));
	if (ready == 0)
		kill(pid,
		     SIGKILL); /* it cannot be another process: we have not waited */
	waitpid(pid, &status, 0);
	if (ready == 0)
		printf("too late: killed by signal %d\n", WTERMSIG(status));
	else
		printf("in time: passed %d\n", WEXITSTATUS(status));
	close(ended.fd);
	return 0;
}
