#include "fuse.h"

#include <sys/time.h>

#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static struct {
	bool burns;
	int status;
	const char *message;
	struct sigaction action; /* the previous action */
	sigset_t mask;           /* the previous mask */
} fuse;

static void burn_down(int signo)
{
	(void)signo;
	(void)!write(STDERR_FILENO, fuse.message, strlen(fuse.message));
	_exit(fuse.status);
}

/* SIGALRM may have been inherited as blocked. */
static void let_through(void)
{
	struct sigaction action = { .sa_handler = burn_down };
	sigset_t set;

	sigaction(SIGALRM, &action, &fuse.action);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, &fuse.mask);
}

void fuse_light(int64_t deadline_us, int status, const char *message)
{
	int64_t left_us = deadline_us - clock_now_us();
	struct itimerval timer = { .it_value.tv_sec = 0 };

	if (deadline_us == CLOCK_NEVER)
		return;
	if (left_us < 1)
		left_us = 1; /* 0 would mean never */
	fuse.burns = true;
	fuse.status = status;
	fuse.message = message;
	let_through();
	timer.it_value.tv_sec = left_us / 1000000;
	timer.it_value.tv_usec = left_us % 1000000;
	setitimer(ITIMER_REAL, &timer, NULL);
}

void fuse_remove(void)
{
	struct itimerval never = { .it_value.tv_sec = 0 };

	if (!fuse.burns)
		return;
	setitimer(ITIMER_REAL, &never, NULL);
	sigprocmask(SIG_SETMASK, &fuse.mask, NULL);
	sigaction(SIGALRM, &fuse.action, NULL);
	fuse.burns = false;
}
