#include "child.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "engine/confine/sandbox.h"

#define EXIT_UNSERVED 0 /* nothing to tell: no connection was begun */

int child_detach(pid_t supervisor)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* The supervisor may have died since the fork. */
	if (getppid() != supervisor)
		_exit(EXIT_UNSERVED);
	return syscall(SYS_setsid, SANDBOX_WAY_IN, SANDBOX_WAY_IN) < 0 ? -1 : 0;
}

static int shut_terminal(int fd)
{
	char path[] = "/proc/self/fd/0";
	int shut = -1;

	path[sizeof(path) - 2] = (char)('0' + fd);
	if (fd != STDIN_FILENO)
		shut = open(path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
	if (shut < 0)
		shut = open("/dev/null", O_RDWR | O_CLOEXEC);
	if (shut < 0 || dup2(shut, fd) < 0)
		return -1;
	return close(shut);
}

int child_shut_terminals(int first, int last)
{
	for (int fd = first; fd <= last; fd++) {
		int flags = isatty(fd) ? fcntl(fd, F_GETFL) : O_WRONLY;

		if ((flags & O_ACCMODE) != O_WRONLY && shut_terminal(fd) < 0)
			return -1;
	}
	return 0;
}

int child_close_others(int first, int a, int b)
{
	int keep[] = { a < b ? a : b, a < b ? b : a };
	int err = 0;

	for (int i = 0; i < 2; i++) {
		if (keep[i] > first)
			err |= close_range((unsigned)first, (unsigned)keep[i] - 1, 0);
		if (keep[i] >= first)
			first = keep[i] + 1;
	}
	return err | close_range((unsigned)first, ~0U, 0);
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
