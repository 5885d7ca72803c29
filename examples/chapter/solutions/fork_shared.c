/*
 * Exercise 2: fork_memory, changed so that the parent sees what the child does to gval.
 * A shared mapping is not copied by fork(): both processes have the same page.
 *
 *	./fork_shared
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void)
{
	int *gval = mmap(NULL, sizeof(*gval), PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid;

	if (gval == MAP_FAILED) {
		perror("mmap");
		return EXIT_FAILURE;
	}
	*gval = 11;
	pid = fork();
	if (pid < 0) {
		perror("fork");
		return EXIT_FAILURE;
	}
	if (pid == 0) {
		++*gval;
		_exit(EXIT_SUCCESS);
	}
	waitpid(pid, NULL, 0); /* without it, 11 and 12 are both possible */
	printf("parent: gval %d\n", *gval);
	return EXIT_SUCCESS;
}
