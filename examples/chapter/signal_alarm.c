/*
 * signal(): a function that runs when a signal comes.
 *
 * Look at: sleep(100) never lasts 100 seconds, because a signal wakes a process
 * that sleeps. Press Ctrl-C: it no longer ends the program. The argument is the
 * number of seconds from alarm to alarm (default 2).
 *
 *	./signal_alarm 2
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static unsigned seconds = 2;

/* A handler may call write(2) and not printf(3): see signal-safety(7). */
static void say(const char *text)
{
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(EXIT_FAILURE);
}

static void on_alarm(int sig)
{
	(void)sig;
	say("Time out!\n");
	alarm(seconds);
}

static void on_interrupt(int sig)
{
	(void)sig;
	say("CTRL+C pressed\n");
}

int main(int argc, char *argv[])
{
	if (argc > 1)
		seconds = (unsigned)strtoul(argv[1], NULL, 10);

	signal(SIGALRM, on_alarm);
	signal(SIGINT, on_interrupt);
	alarm(seconds);

	for (int i = 0; i < 3; i++) {
		say("wait...\n");
		sleep(100);
	}
	return EXIT_SUCCESS;
}
