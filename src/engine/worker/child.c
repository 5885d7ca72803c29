#include "child.h"

#include <sys/prctl.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "base/call.h"
#include "engine/confine/sandbox.h"

#define EXIT_UNSERVED 0 /* no connection was begun, so there is nothing to report */

int child_detach(pid_t supervisor, bool session)
{
	int n;

	CALL(prctl, PR_SET_PDEATHSIG, SIGKILL);
	/* The supervisor may have died since the fork. */
	if (CALL(getppid, 0) != supervisor)
		call_exit(EXIT_UNSERVED);
	if (!session)
		return (int)CALL(setpgid, 0, 0);
	n = (int)CALL(setsid, SANDBOX_WAY_IN, SANDBOX_WAY_IN);
	return n < 0 ? n : 0;
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
		return -errno;
	close(shut);
	return 0;
}

int child_shut_terminals(int first, int last)
{
	for (int fd = first; fd <= last; fd++) {
		int flags = isatty(fd) ? fcntl(fd, F_GETFL) : O_WRONLY;

		int err = (flags & O_ACCMODE) != O_WRONLY ? shut_terminal(fd) : 0;

		if (err < 0)
			return err;
	}
	return 0;
}

/* The lowest descriptor to be kept, from first on; -1: none. */
static int next_kept(int first, const int *keep, int count)
{
	int next = -1;

	for (int i = 0; i < count; i++)
		if (keep[i] >= first && (next < 0 || keep[i] < next))
			next = keep[i];
	return next;
}

int child_close_others(int first, const int *keep, int count)
{
	int next = next_kept(first, keep, count);
	int err = 0;

	while (next >= 0 && err == 0) {
		if (next > first)
			err = (int)CALL(close_range, first, next - 1, 0);
		first = next + 1;
		next = next_kept(first, keep, count);
	}
	return err < 0 ? err : (int)CALL(close_range, first, ~0U, 0);
}

void child_reset_signals(void)
{
	uint64_t all = UINT64_MAX; /* in the kernel's layout */

	/* Not SIG_SETMASK: the sandbox does not trap a call that only unblocks. */
	CALL(rt_sigprocmask, SIG_UNBLOCK, &all, NULL, sizeof(all));
}
