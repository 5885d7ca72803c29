#include "child.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#define EXIT_UNSERVED 0 /* nothing to tell: no connection was begun */

void child_detach(pid_t supervisor)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The supervisor may have died since the fork. */
	if (getppid() != supervisor)
		_exit(EXIT_UNSERVED);
	setpgid(0, 0);
}

void child_close_others(int first, int a, int b)
{
	int keep[] = { a < b ? a : b, a < b ? b : a };
	int err = 0;

	for (int i = 0; i < 2; i++) {
		if (keep[i] > first)
			err |= close_range((unsigned)first, (unsigned)keep[i] - 1, 0);
		if (keep[i] >= first)
			first = keep[i] + 1;
	}
	err |= close_range((unsigned)first, ~0U, 0);
	if (err != 0)
		_exit(EXIT_UNSERVED); /* rather than with the listeners */
}

void child_reset_signals(void)
{
	uint64_t all = UINT64_MAX; /* the kernel's layout */

	/*
	 * Not SIG_SETMASK: only unblocking is free of the sandbox's trap. Not by
	 * sigprocmask(3): each piece of libc that a child calls is a page fault more.
	 */
	syscall(SYS_rt_sigprocmask, SIG_UNBLOCK, &all, NULL, sizeof(all));
}
