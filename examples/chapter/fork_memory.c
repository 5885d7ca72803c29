/*
 * fork(): one program, two processes, each with memory of its own.
 *
 * Look at: both processes start with gval 11 and lval 25. The child changes one
 * variable and the parent the other. Neither sees the other's change.
 *
 *	./fork_memory
 */
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int gval = 10;

int main(void)
{
	int lval = 20;
	pid_t pid;

	gval++;
	lval += 5;

	pid = fork();
	if (pid < 0) {
		perror("fork");
		return EXIT_FAILURE;
	}
	if (pid == 0) {
		gval++;
		printf("child:  gval %d, lval %d\n", gval, lval);
		return EXIT_SUCCESS;
	}

	lval++;
	waitpid(pid, NULL, 0); /* only so that the parent's line comes second */
	printf("parent: gval %d, lval %d\n", gval, lval);
	return EXIT_SUCCESS;
}
