/*
 * Exercise 12: read() that a signal interrupts, without and with SA_RESTART.
 * The handler writes a byte into the pipe the second time only. Without SA_RESTART read()
 * fails at the first signal; with it read() goes on until the byte is there.
 *
 *	./interrupted
 */
#include <sys/time.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int channel[2];
static volatile sig_atomic_t writes;

static void on_alarm(int sig)
{
	int saved = errno;

	(void)sig;
	if (writes && write(channel[1], "x", 1) < 0)
		_exit(1);
	errno = saved;
}

static void try_with(int flags, const char *name)
{
	struct sigaction act = { .sa_handler = on_alarm, .sa_flags = flags };
	char byte;

	sigaction(SIGALRM, &act, NULL);
	if (read(channel[0], &byte, 1) < 0)
		printf("%s: read: %s\n", name, strerror(errno));
	else
		printf("%s: read returned a byte\n", name);
}

int main(void)
{
	struct itimerval tenth = { { .tv_usec = 100000 }, { .tv_usec = 100000 } };
	struct sigaction act = { .sa_handler = on_alarm };

	if (pipe(channel) < 0)
		return 1;
	sigaction(SIGALRM, &act, NULL);
	setitimer(ITIMER_REAL, &tenth,
		  NULL); /* again and again: one may be too early */
	try_with(0, "without SA_RESTART");
	writes = 1;
	try_with(SA_RESTART, "with SA_RESTART");
	return 0;
}
