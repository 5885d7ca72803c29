/*
 * Exercise 11: the first Ctrl-C asks, the second ends the program.
 * SA_RESETHAND sets the signal's default action back before the handler runs, so the
 * second SIGINT does what it does without a handler: it kills.
 *
 *	./twice_to_end
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

static void on_interrupt(int sig)
{
	static const char text[] = "press Ctrl-C again to end\n";

	(void)sig;
	if (write(STDOUT_FILENO, text, strlen(text)) < 0)
		_exit(1);
}

int main(void)
{
	struct sigaction act = { .sa_handler = on_interrupt,
				 .sa_flags = (int)SA_RESETHAND };
	static const char ready[] = "working...\n";

	sigaction(SIGINT, &act, NULL);
	if (write(STDOUT_FILENO, ready, strlen(ready)) < 0)
		return 1;
	for (;;)
		pause();
}
