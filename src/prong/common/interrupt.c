#include "interrupt.h"

#include <sys/signalfd.h>

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* A blocked signal is queued even if it is ignored, so ignored ones are left out. */
static void add_unless_ignored(sigset_t *set, int signo)
{
	struct sigaction action;

	if (sigaction(signo, NULL, &action) == 0 && action.sa_handler != SIG_IGN)
		sigaddset(set, signo);
}

int interrupt_open(int *out)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	add_unless_ignored(&set, SIGINT);
	add_unless_ignored(&set, SIGHUP);
	fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, NULL);
	*out = fd;
	return 0;
}

int interrupt_take(int fd)
{
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return 0;
	return (int)info.ssi_signo;
}

const char *interrupt_name(int signo)
{
	const char *name = sigabbrev_np(signo);

	return name != NULL ? name : "?";
}
