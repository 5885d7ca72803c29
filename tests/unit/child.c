#include "child.h"

#include <sys/resource.h>
#include <sys/wait.h>

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <unistd.h>

#include "check.h"

static int open_before;

int open_descriptors(void)
{
	DIR *folder = opendir("/proc/self/fd");
	int count = -3; /* ".", ".." and the directory itself */

	assert_non_null(folder);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	return count;
}

bool can_open(unsigned count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max < count)
		return false;
	limit.rlim_cur = limit.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &limit) == 0;
}

int note_what_is_open(void **state)
{
	(void)state;
	open_before = open_descriptors();
	return 0;
}

/* Ends the children of a failed test, so that the next one begins without them. */
static void end_children(void)
{
	FILE *list = fopen("/proc/thread-self/children", "r");
	int pid;

	while (list != NULL && fscanf(list, "%d", &pid) == 1) {
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	if (list != NULL)
		fclose(list);
}

int nothing_is_left(void **state)
{
	(void)state;
	if (waitpid(-1, NULL, WNOHANG) != -1 || errno != ECHILD) {
		print_error("a child is left\n");
		end_children();
		return -1;
	}
	if (open_descriptors() != open_before) {
		print_error("%d descriptors were open, now %d are\n", open_before,
			    open_descriptors());
		return -1;
	}
	return 0;
}

static const int faults[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGSYS };

pid_t child_start(int (*function)(void *arg), void *arg)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int status;

		/*
		 * A fault must end this child; cmocka would go on with the other tests
		 * in it.
		 */
		for (size_t i = 0; i < COUNT(faults); i++)
			signal(faults[i], SIG_DFL);
		status = function(arg);
		fflush(NULL);
		_exit(status);
	}
	return pid;
}

int child_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		assert_int_equal(errno, EINTR);
	return status;
}

struct speaker {
	int (*function)(void *arg);
	void *arg;
	int out[2];
};

static int speak(void *arg)
{
	const struct speaker *speaker = arg;

	dup2(speaker->out[1], 1);
	dup2(speaker->out[1], 2);
	close(speaker->out[0]);
	close(speaker->out[1]);
	return speaker->function(speaker->arg);
}

void child_run(struct child_end *end, int (*function)(void *arg), void *arg)
{
	struct speaker speaker = { .function = function, .arg = arg };
	size_t length = 0;
	ssize_t n = 1;
	pid_t pid;

	assert_int_equal(pipe(speaker.out), 0);
	pid = child_start(speak, &speaker);
	close(speaker.out[1]);
	while (n > 0) {
		n = read(speaker.out[0], end->text + length,
			 sizeof(end->text) - 1 - length);
		if (n > 0)
			length += (size_t)n;
	}
	end->text[length] = '\0';
	close(speaker.out[0]);
	end->status = child_wait(pid);
}
