/*
 * sigaction(): a function for a signal, specified in full.
 *
 * Look at: the behaviour is that of signal_alarm. But the program says three things
 * that signal() leaves open: which signals wait while the handler runs (sa_mask),
 * whether interrupted calls start again (SA_RESTART, not set here), and whether the
 * handler stays after the first signal (it does without SA_RESETHAND).
 *
 *	./sigaction_alarm 2
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned seconds = 2;

static void say(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(EXIT_FAILURE);
}

static void on_signal(int sig)
{
	if (sig == SIGALRM) {
		say("Time out!\n");
		alarm(seconds);
	} else {
		say("CTRL+C pressed\n");
	}
}

static void handle(int sig)
{
	struct sigaction act = { .sa_handler = on_signal };

	sigemptyset(&act.sa_mask);
	sigaddset(&act.sa_mask, SIGALRM); /* one handler at a time, so that */
	sigaddset(&act.sa_mask, SIGINT);  /* neither interrupts the other */
	if (sigaction(sig, &act, NULL) < 0) {
		perror("sigaction");
		exit(EXIT_FAILURE);
	}
}

int main(int argc, char *argv[])
{
	if (argc > 1)
		seconds = (unsigned)strtoul(argv[1], NULL, 10);

	handle(SIGALRM);
	handle(SIGINT);
	alarm(seconds);

	for (int i = 0; i < 3; i++) {
		say("wait...\n");
		sleep(100);
	}
	return EXIT_SUCCESS;
}
