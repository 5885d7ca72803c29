/*
 * A program that leaves processes behind that are hard to end: each ignores SIGTERM and
 * leads a session of its own.
 *
 * runaway chain N: N generations, each the child of the one before. runaway runner
 * MICROSECONDS: a process that forks after that time, and ends; its child does the
 * same. runaway pair MICROSECONDS: two of these.
 *
 * It writes "ready" and copies its input to its output until that ends.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Processes that are left behind keep nothing of the connection. */
static void detach(void)
{
	int null = open("/dev/null", O_RDWR);

	setsid();
	signal(SIGTERM, SIG_IGN);
	for (int fd = 0; fd < 3; fd++)
		dup2(null, fd);
	close(null);
}

static void start_chain(long generations)
{
	if (fork() != 0)
		return;
	detach();
	while (--generations > 0 && fork() == 0)
		setsid();
	for (;;)
		pause();
}

static void start_runner(long pause_us)
{
	if (fork() != 0)
		return;
	detach();
	signal(SIGCHLD, SIG_IGN);
	for (;;) {
		if (fork() > 0)
			_exit(0);
		if (pause_us > 0)
			usleep((useconds_t)pause_us);
	}
}

int main(int argc, char **argv)
{
	long number = argc == 3 ? strtol(argv[2], NULL, 10) : -1;
	char bytes[4096];
	ssize_t n;

	if (number < 0)
		return 1;
	if (strcmp(argv[1], "chain") == 0)
		start_chain(number);
	else
		start_runner(number);
	if (strcmp(argv[1], "pair") == 0)
		start_runner(number);
	if (write(1, "ready\n", 6) != 6)
		return 1;
	while ((n = read(0, bytes, sizeof(bytes))) > 0)
		if (write(1, bytes, (size_t)n) != n)
			return 1;
	return 0;
}
