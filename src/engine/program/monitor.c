#include "monitor.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "children.h"
#include "engine/worker/child.h"
#include "launch.h"

#define TERM_TO_KILL_US 300000 /* for what a program left behind */
#define EXIT_NOT_BEGUN  127
#define SIGNAL_ORPHANED SIGUSR1 /* blocked, like all of them; sigwaitinfo(2) sees it */

bool monitor_is_needed(const struct program *program)
{
	return program->options.resolve || program->options.kill_descendants;
}

static void signal_child(void *number, pid_t pid)
{
	kill(pid, *(const int *)number);
}

/* Waits for a SIGCHLD until deadline_us. */
static void wait_for_child(int64_t deadline_us)
{
	int64_t left_us = deadline_us - clock_now_us();
	struct timespec timeout = {
		.tv_sec = left_us > 0 ? left_us / 1000000 : 0,
		.tv_nsec = left_us > 0 ? left_us % 1000000 * 1000 : 0,
	};
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigtimedwait(&child, NULL, &timeout);
}

/* Those that are left: TERM to each once, then KILL, also to what becomes ours then. */
static void end_descendants(int children)
{
	int64_t deadline_us = clock_now_us() + TERM_TO_KILL_US;
	int number = SIGTERM;

	children_each(children, signal_child, &number);
	number = SIGKILL;
	for (;;) {
		pid_t pid = waitpid(-1, NULL, WNOHANG);

		if (pid < 0 && errno == ECHILD)
			return;
		if (pid > 0)
			continue;
		if (clock_now_us() >= deadline_us) {
			children_each(children, signal_child, &number);
			deadline_us = clock_now_us() + TERM_TO_KILL_US;
		}
		wait_for_child(deadline_us);
	}
}

/*
 * The program's own end, while orphans of its making are collected by the way. If the
 * supervisor is gone, the program is killed.
 */
static int wait_for_program(pid_t program)
{
	sigset_t news;
	int status;

	sigemptyset(&news);
	sigaddset(&news, SIGCHLD);
	sigaddset(&news, SIGNAL_ORPHANED);
	for (;;) {
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid == program)
			return status;
		if (pid == 0 && sigwaitinfo(&news, NULL) == SIGNAL_ORPHANED)
			kill(program, SIGKILL);
	}
}

/*
 * Dying with the supervisor at once would leave behind what the program has started:
 * be told instead. It may be gone already.
 */
static void be_told_of_supervisors_end(pid_t supervisor)
{
	prctl(PR_SET_PDEATHSIG, SIGNAL_ORPHANED);
	if (getppid() != supervisor)
		_exit(EXIT_NOT_BEGUN);
}

/* Ends as the program did; without a core of our own. */
static _Noreturn void leave_as(int status)
{
	struct rlimit none = { 0, 0 };

	if (WIFEXITED(status))
		_exit(WEXITSTATUS(status));
	setrlimit(RLIMIT_CORE, &none);
	child_reset_signals();
	raise(WTERMSIG(status));
	_exit(128 + WTERMSIG(status));
}

static void must(const struct monitor *monitor, enum privileges_step step, int err)
{
	if (err < 0)
		privileges_leave(monitor->row,
				 &(struct privileges_failure){ step, -err });
}

/* Where the root directory will be another, there is no /proc in it: open first. */
static int prepare(const struct monitor *monitor)
{
	int children = -1;
	struct privileges_failure failure;

	must(monitor, PRIVILEGES_SETSID, child_detach(monitor->supervisor, true));
	must(monitor, PRIVILEGES_CLOSE_RANGE,
	     child_close_others(3, monitor->client.fd, monitor->null));
	if (monitor->program->options.kill_descendants) {
		prctl(PR_SET_CHILD_SUBREAPER, 1);
		children = children_open();
	}
	if (privileges_take(monitor->privileges, monitor->supervisor, &failure) < 0)
		privileges_leave(monitor->row, &failure);
	be_told_of_supervisors_end(monitor->supervisor);
	return children;
}

static _Noreturn void watch_over(const struct monitor *monitor)
{
	struct launchpads pads = { 0 };
	struct launchpad *pad = launchpad_take(&pads);
	struct launch launch = {
		.program = monitor->program,
		.connection = monitor->client.fd,
		.channel = -1,
		.null = monitor->null,
		.parent = getpid(),
		.group = getpid(),
		.row = monitor->row,
	};
	int children = prepare(monitor);
	pid_t pid = -ENOMEM;
	int status;

	if (pad != NULL) {
		pad->launch = launch;
		environment_fill(&pad->environment, monitor->program, &monitor->client,
				 monitor->connections);
		pid = launch_program(pad);
	}
	if (pid < 0) {
		atomic_store(&monitor->row->error, -(int)pid);
		_exit(EXIT_NOT_BEGUN);
	}
	/* The connection is the program's: no copy here may keep it open. */
	close(monitor->client.fd);
	status = wait_for_program(pid);
	if (monitor->program->options.kill_descendants) {
		atomic_store(&monitor->row->program_ended, true);
		end_descendants(children);
	}
	leave_as(status);
}

pid_t monitor_start(const struct monitor *monitor)
{
	pid_t pid = fork();

	if (pid == 0)
		watch_over(monitor);
	return pid < 0 ? -errno : pid;
}
