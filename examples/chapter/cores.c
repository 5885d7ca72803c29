/*
 * Processes and cores: the same calculation in 1, 2, 3, ... children at once.
 * Look at: the time stays level until each core has a child, and grows after that; the
 * speed-up ends at the number of cores. The argument is the size of the calculation, in
 * millions of steps (300 without it).
 *
 *	./cores
 */
#include <sys/resource.h>
#include <sys/wait.h>
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void calculate(unsigned long steps)
{
	for (volatile unsigned long i = 0; i < steps; i = i + 1)
		;
}

/* Returns how often the kernel took a core from a child that wanted to go on. */
static long run_at_once(long children, unsigned long steps)
{
	struct rusage usage;
	long interruptions = 0;

	for (long i = 0; i < children; i++) {
		pid_t pid = fork();

		if (pid < 0)
			err(1, "fork");
		if (pid == 0) {
			calculate(steps);
			_exit(0);
		}
	}
	while (wait4(-1, NULL, 0, &usage) > 0)
		interruptions += usage.ru_nivcsw;
	return interruptions;
}

int main(int argc, char *argv[])
{
	unsigned long millions = argc > 1 ? strtoul(argv[1], NULL, 10) : 300;
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	double alone = 0;

	printf("%ld cores\nchildren  seconds  speed-up  interruptions\n", cores);
	for (long children = 1; children <= 2 * cores; children++) {
		double begun = seconds_now();
		long taken = run_at_once(children, millions * 1000000);
		double seconds = seconds_now() - begun;

		alone = children == 1 ? seconds : alone;
		printf("%8ld %8.2f %9.2f %14ld\n", children, seconds,
		       (double)children * alone / seconds, taken);
		fflush(stdout);
	}
}
