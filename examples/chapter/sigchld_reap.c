/*
 * SIGCHLD: remove all zombies.
 *
 * Look at: nine children end while SIGCHLD is blocked. The kernel does not count
 * signals, so when SIGCHLD is unblocked the handler runs once for all nine. It must
 * collect until no zombie is left; with "if" in place of its "while", eight stay.
 *
 *	./sigchld_reap
 */
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHILDREN = 9 };

static volatile sig_atomic_t runs, reaped;

static void on_child(int sig)
{
	int saved = errno; /* the handler may interrupt any call of main() */

	(void)sig;
	runs = runs + 1;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		reaped = reaped + 1;
	errno = saved;
}

static void start_children_and_see_them_end(void)
{
	pid_t pids[CHILDREN];
	siginfo_t info;

	for (int i = 0; i < CHILDREN; i++) {
		pids[i] = fork();
		if (pids[i] < 0) {
			perror("fork");
			exit(EXIT_FAILURE);
		}
		if (pids[i] == 0)
			_exit(i);
	}
	for (int i = 0; i < CHILDREN; i++) /* WNOWAIT leaves the zombie */
		waitid(P_PID, (id_t)pids[i], &info, WEXITED | WNOWAIT);
}

int main(void)
{
	struct sigaction act = { .sa_handler = on_child, .sa_flags = SA_RESTART };
	sigset_t child;

	sigemptyset(&act.sa_mask);
	sigaction(SIGCHLD, &act, NULL);
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);

	sigprocmask(SIG_BLOCK, &child, NULL);
	start_children_and_see_them_end();
	sigprocmask(SIG_UNBLOCK, &child, NULL); /* the handler runs here */

	printf("%d children ended, the handler ran %d time(s), %d reaped\n", CHILDREN,
	       (int)runs, (int)reaped);
	return wait(NULL) < 0 && errno == ECHILD ? EXIT_SUCCESS : EXIT_FAILURE;
}
