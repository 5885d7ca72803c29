/*
 * Exercise 10: sleep the whole time, however many signals come.
 * The end is a point in time. After each signal clock_nanosleep() sleeps until the same
 * point again, so no rounding adds up. A timer sends SIGALRM ten times a second.
 *
 *	./sleep_whole 2
 */
#include <sys/time.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static volatile sig_atomic_t signals;

static void on_alarm(int sig)
{
	(void)sig;
	signals = signals + 1;
}

int main(int argc, char *argv[])
{
	struct sigaction act = { .sa_handler = on_alarm };
	struct itimerval tenth = { { .tv_usec = 100000 }, { .tv_usec = 100000 } };
	int seconds = argc > 1 ? atoi(argv[1]) : 2, woken = 0;
	struct timespec end;

	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &tenth, NULL);
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += seconds;
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL) == EINTR)
		woken++;
	printf("slept %d s, woken %s\n", seconds, woken > 0 ? "in between" : "never");
	return signals < woken;
}
