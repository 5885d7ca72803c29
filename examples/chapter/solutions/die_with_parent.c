/*
 * Exercise 30: a child that does not outlive its parent, even if the parent is killed.
 * The parent may have died before prctl() was called; then no signal comes, and getppid()
 * shows another parent.
 *
 *	./die_with_parent & kill -9 $!
 */
#include <sys/prctl.h>
#include <sys/wait.h>

#include <signal.h>
#include <stdio.h>
#include <unistd.h>

int main(void)
{
	pid_t parent = getpid(), child = fork();

	if (child < 0) {
		perror("fork");
		return 1;
	}
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(1);
		dprintf(STDOUT_FILENO, "child %d is ready\n", (int)getpid());
		for (;;)
			pause();
	}
	waitpid(child, NULL, 0);
	return 0;
}
