#include "signals.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

/* Ctrl-Z and fg must keep working; a fault cannot wait to be read as data. */
static const int unblocked[] = {
	SIGTSTP, SIGTTIN, SIGTTOU, SIGCONT, SIGSEGV, SIGBUS,
	SIGFPE,  SIGILL,  SIGTRAP, SIGSYS,  SIGABRT,
};

static void fill_mask(sigset_t *mask)
{
	sigfillset(mask);
	for (size_t i = 0; i < sizeof(unblocked) / sizeof(unblocked[0]); i++)
		sigdelset(mask, unblocked[i]);
}

/*
 * The supervisor needs no handlers, so setting the defaults once here also serves every
 * child. SIGCHLD: stopped children are not reported.
 */
static void set_default_dispositions(struct signals *signals)
{
	for (int number = 1; number < _NSIG; number++) {
		struct sigaction action = { .sa_handler = SIG_DFL };

		if (signals->saved[number].sa_handler == SIG_ERR)
			continue;
		if (number == SIGCHLD)
			action.sa_flags = SA_NOCLDSTOP;
		if (sigaction(number, &action, &signals->saved[number]) < 0)
			signals->saved[number].sa_handler = SIG_ERR;
	}
}

/*
 * 32 and 33 are glibc's own (nptl(7)), and its sigaction(3) does not touch them. But
 * GNU make, for example, starts programs with them ignored, and children inherit that.
 */
static void unignore_internal_signals(void)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} action = { 0 }; /* in the kernel's layout, which differs from glibc's */

	for (int number = 32; number <= 33; number++) {
		if (syscall(SYS_rt_sigaction, number, NULL, &action,
			    sizeof(action.mask)) < 0 ||
		    action.handler != SIG_IGN)
			continue;
		action.handler = SIG_DFL;
		syscall(SYS_rt_sigaction, number, &action, NULL, sizeof(action.mask));
	}
}

int signals_take(struct signals *signals)
{
	sigset_t mask;
	int err;

	fill_mask(&mask);
	if (sigprocmask(SIG_SETMASK, &mask, &signals->saved_mask) < 0)
		return -errno;
	signals->fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals->fd < 0) {
		err = -errno;
		sigprocmask(SIG_SETMASK, &signals->saved_mask, NULL);
		return err;
	}
	set_default_dispositions(signals);
	unignore_internal_signals();
	/* A child from before may have ended before SIGCHLD could be seen here. */
	signals->exits.any = true;
	return 0;
}

/*
 * Discards all pending signals of that number: the kernel does so when the signal is
 * ignored, which it is only for this moment. Real-time signals queue up by the ten
 * thousand, and the more there are, the longer it takes to read one. Ignoring SIGCHLD
 * would reap children; its default disposition discards too.
 */
static void discard(const struct signals *signals, int number)
{
	struct sigaction ignore = { .sa_handler =
					    number == SIGCHLD ? SIG_DFL : SIG_IGN };
	struct sigaction before;

	if (signals->saved[number].sa_handler == SIG_ERR ||
	    sigaction(number, &ignore, &before) < 0)
		return;
	sigaction(number, &before, NULL);
}

/* Any process may have sent such a signal, so the pid only says where to look first. */
static void note_exit(struct exits *exits, pid_t pid)
{
	exits->any = true;
	if (exits->count < SIGNALS_AT_ONCE)
		exits->pids[exits->count++] = pid;
}

static void note(struct signals *signals, const struct signalfd_siginfo *info)
{
	int number = (int)info->ssi_signo;

	switch (number) {
	case SIGCHLD:
		note_exit(&signals->exits, (pid_t)info->ssi_pid);
		break;
	case SIGTERM:
	case SIGINT:
		signals->stops++;
		signals->stop_signal = number;
		break;
	case SIGQUIT:
		signals->quit = true;
		signals->stop_signal = number;
		break;
	case SIGUSR1:
		signals->totals = true;
		break;
	case SIGHUP:
	case SIGUSR2:
		signals->ignored = true;
		break;
	default:
		discard(signals, number);
		break;
	}
}

static void on_signal(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct signals *signals = owner;
	struct signalfd_siginfo info[SIGNALS_AT_ONCE];
	ssize_t n = read(signals->fd, info, sizeof(info));

	(void)index, (void)events, (void)now_us;
	signals->error = n < 0 && errno != EAGAIN ? errno : 0;
	/*
	 * A signal that is left over wakes the loop again, since the descriptor stays
	 * readable.
	 */
	for (ssize_t i = 0; i < n / (ssize_t)sizeof(info[0]); i++)
		note(signals, &info[i]);
}

int signals_watch(struct signals *signals, struct loop *loop)
{
	signals->watch = (struct watch){ on_signal, signals, 0 };
	return loop_add(loop, signals->fd, EPOLLIN, &signals->watch);
}

void signals_release(struct signals *signals)
{
	sigset_t pending;

	if (signals->fd < 0)
		return;
	close(signals->fd);
	signals->fd = -1;
	sigpending(&pending);
	for (int number = 1; number < _NSIG; number++)
		if (sigismember(&pending, number) == 1)
			discard(signals, number);
	for (int number = 1; number < _NSIG; number++)
		if (signals->saved[number].sa_handler != SIG_ERR)
			sigaction(number, &signals->saved[number], NULL);
	sigprocmask(SIG_SETMASK, &signals->saved_mask, NULL);
}

void signals_keep(struct signals *signals, int number)
{
	signals->saved[number].sa_handler = SIG_ERR;
}
