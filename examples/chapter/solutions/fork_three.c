/*
 * Exercise 1: how many processes are there after three calls of fork()?
 * Each of them writes one line. write(2) has no buffer that fork() could copy.
 *
 *	./fork_three
 */
#include <sys/wait.h>

#include <stdio.h>
#include <unistd.h>

int main(void)
{
	for (int i = 0; i < 3; i++)
		if (fork() < 0)
			perror("fork");
	dprintf(STDOUT_FILENO, "process %d\n", (int)getpid());
	while (wait(NULL) > 0)
		; /* each process collects the children that it has itself */
	return 0;
}
