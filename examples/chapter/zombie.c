/*
 * A zombie: a process that has ended and whose parent has not called wait().
 *
 * Look at: the child has ended, and its state is Z. Its process number is free only
 * after wait() has taken its exit status. The argument is the number of seconds that
 * the zombie stays (default 30).
 *
 *	./zombie 30 &
 *	ps -o pid,ppid,stat,comm -p PID		(zombie prints this line, PID filled in)
 */
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The kernel's own words for the process, from /proc. */
static void show_state(pid_t pid)
{
	char path[64], line[128];
	FILE *status;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	status = fopen(path, "r");
	if (!status) {
		printf("%d: no such process\n", (int)pid);
		return;
	}
	while (fgets(line, sizeof(line), status))
		if (strncmp(line, "State:", strlen("State:")) == 0)
			printf("%d: %s", (int)pid, line);
	fclose(status);
}

int main(int argc, char *argv[])
{
	unsigned seconds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 30;
	siginfo_t info;
	pid_t pid;

	pid = fork();
	if (pid < 0) {
		perror("fork");
		return EXIT_FAILURE;
	}
	if (pid == 0)
		_exit(EXIT_SUCCESS);

	/* WNOWAIT: wait until it has ended, and leave the zombie. */
	waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT);
	printf("child %d has ended; see it for %u seconds with\n", (int)pid, seconds);
	printf("    ps -o pid,ppid,stat,comm -p %d\n", (int)pid);
	show_state(pid);
	fflush(stdout);
	sleep(seconds);

	waitpid(pid, NULL, 0);
	printf("after waitpid:\n");
	show_state(pid);
	return EXIT_SUCCESS;
}
