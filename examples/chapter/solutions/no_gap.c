/*
 * Exercise 9: signal_alarm without the gap between "wait..." and the sleep.
 * SIGINT is blocked except while sigsuspend() sleeps, so a signal that comes a moment
 * too early stays pending and ends the next sleep. No signal is lost.
 *
 *	./no_gap		(Ctrl-C three times ends it)
 */
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static volatile sig_atomic_t pressed;

static void on_interrupt(int sig)
{
	(void)sig;
	pressed = pressed + 1;
}

static void say(const char *text, size_t length)
{
	if (write(STDOUT_FILENO, text, length) < 0)
		_exit(1);
}

int main(void)
{
	struct sigaction act = { .sa_handler = on_interrupt };
	sigset_t interrupt, before;

	sigemptyset(&interrupt);
	sigaddset(&interrupt, SIGINT);
	sigprocmask(SIG_BLOCK, &interrupt, &before);
	sigdelset(&before, SIGINT);
	sigaction(SIGINT, &act, NULL);
	for (int i = 1; i <= 3; i++) {
		say("wait...\n", 8);
		while (pressed < i)
			sigsuspend(&before); /* unblocks and sleeps in one step */
		say("CTRL+C pressed\n", 15);
	}
	return 0;
}
