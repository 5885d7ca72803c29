#include "monitor.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <linux/futex.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/gate.h"
#include "base/group.h"
#include "children.h"
#include "engine/confine/privileges.h"
#include "engine/record/scoreboard.h"
#include "engine/worker/child.h"
#include "launch.h"

#define TERM_TO_KILL_US 300000 /* for what a program leaves behind */
#define SWEEP_US        1000   /* pause between sweeps, unless a child ends */
#define SWEEP_MOST_US   100000 /* the pause doubles up to this */
#define EXIT_NOT_BEGUN  127
#define SIGNAL_ORPHANED SIGUSR1 /* blocked, like all signals; sigwaitinfo(2) sees it */
#define LAUNCHED        1       /* value in the row; or a negative errno */
#define ERRNO_MOST      4095    /* the kernel's MAX_ERRNO */
#define LOOK_MS         10      /* between checks that a launching monitor lives */
#define LOOKS           100     /* then it is given up: another process stopped it */

int monitor_check(const struct prong_options *options, struct why *why)
{
	if (!options->program->kill_descendants)
		return 0;
	if (options->privileges != NULL && options->privileges->root != NULL &&
	    options->privileges->drop == PRONG_DROP_SUPERVISOR)
		return why_fail(why, -EINVAL,
				"kill-descendants needs /proc, which the supervisor "
				"cannot reach after chroot: use drop-privileges "
				"child");
	return children_try("kill-descendants", why);
}

bool monitor_is_needed(const struct program *program)
{
	return program->options.kill_descendants;
}

static void signal_child(void *number, pid_t pid)
{
	kill(pid, *(const int *)number);
}

/* Waits until a child has ended, but at most most_us. Returns whether one has. */
static bool wait_for_child(int64_t most_us)
{
	struct timespec timeout = { .tv_nsec = (long)most_us * 1000 };
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	return sigtimedwait(&child, NULL, &timeout) == SIGCHLD;
}

/* Reaps children that have ended. Returns whether any are left. */
static bool has_children(void)
{
	pid_t pid;

	do
		pid = waitpid(-1, NULL, WNOHANG | __WALL);
	while (pid > 0);
	return pid == 0;
}

/*
 * Sends SIGKILL to every child, and to each process that becomes our child when a child
 * ends, until there is none. After each end a sweep follows at once, since the next
 * generation then belongs to us; a process that was just being made when its parent was
 * found is there a moment later.
 */
static void kill_descendants(int children)
{
	int number = SIGKILL;
	int64_t pause_us = SWEEP_US;

	while (has_children()) {
		children_each(children, signal_child, &number);
		if (wait_for_child(pause_us))
			pause_us = SWEEP_US;
		else if (2 * pause_us <= SWEEP_MOST_US)
			pause_us *= 2;
	}
}

/* Descendants get SIGTERM first, and a moment to end. */
static void end_descendants(int children)
{
	int64_t deadline_us = clock_now_us() + TERM_TO_KILL_US;
	int number = SIGTERM;

	if (!has_children())
		return;
	children_each(children, signal_child, &number);
	while (has_children() && clock_now_us() < deadline_us)
		wait_for_child(deadline_us - clock_now_us());
	kill_descendants(children);
}

/*
 * Waits for the program's end, and reaps orphans of its making meanwhile. A waitpid(2)
 * that fails is repeated, since its SIGCHLD has been taken. Returns false if the
 * supervisor has died first.
 */
static bool wait_for_program(pid_t program, int *status)
{
	const struct timespec again = { .tv_nsec = SWEEP_MOST_US * 1000L };
	sigset_t news;

	sigemptyset(&news);
	sigaddset(&news, SIGCHLD);
	sigaddset(&news, SIGTERM);
	sigaddset(&news, MONITOR_HANG_UP);
	sigaddset(&news, SIGNAL_ORPHANED);
	for (;;) {
		pid_t pid = waitpid(-1, status, WNOHANG | __WALL);

		if (pid == program)
			return true;
		if (pid > 0)
			continue;
		switch (sigtimedwait(&news, NULL, pid < 0 ? &again : NULL)) {
		case SIGTERM:
			group_signal(&group_calls, program, SIGTERM);
			break;
		case MONITOR_HANG_UP:
			kill(program, SIGTERM);
			break;
		case SIGNAL_ORPHANED:
			return false;
		default:
			break;
		}
	}
}

/* Ends as the program did, without a core file of our own. */
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

/*
 * If the monitor died with the supervisor at once, the program's descendants would
 * stay. So it asks for a signal instead, before there is a program.
 */
static int detach(pid_t supervisor)
{
	prctl(PR_SET_PDEATHSIG, SIGNAL_ORPHANED);
	if (getppid() != supervisor)
		_exit(EXIT_NOT_BEGUN);
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	return setsid() < 0 ? -errno : 0;
}

static void must(const struct launch *launch, enum privileges_step step, int err)
{
	if (err < 0)
		privileges_leave(launch->row,
				 &(struct privileges_failure){ step, -err });
}

/*
 * Tells the supervisor, which waits, that the program's process exists, or why it does
 * not.
 */
static void tell(struct score_row *row, int launched)
{
	atomic_store(&row->launched, launched);
	GATE(futex, &row->launched, FUTEX_WAKE, 1);
}

static _Noreturn void watch_over(struct launchpad *pad)
{
	struct launch *launch = &pad->launch;
	const int keep[] = { launch->connection, launch->null, launch->error,
			     launch->privileges->domain };
	pid_t program = -EMFILE;
	int children;
	int status;

	must(launch, PRIVILEGES_SETSID, detach(launch->parent));
	must(launch, PRIVILEGES_CLOSE_RANGE, child_close_others(3, keep, 4));
	children = children_open();
	launch->parent = getpid();
	if (children >= 0)
		program = launch_program(pad);
	tell(launch->row, program < 0 ? program : LAUNCHED);
	if (program < 0)
		_exit(EXIT_NOT_BEGUN);
	/* Both belong to the program: no copy here may keep them open. */
	close(launch->connection);
	if (launch->error != launch->null)
		close(launch->error);
	if (!wait_for_program(program, &status)) {
		kill_descendants(children);
		_exit(EXIT_NOT_BEGUN);
	}
	end_descendants(children);
	leave_as(status);
}

static bool has_ended(pid_t pid)
{
	siginfo_t info = { 0 };

	return GATE(waitid, P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
	       info.si_pid != 0;
}

/* What the monitor reports; 0: it ended before, or does not run. */
static int wait_until_launched(struct score_row *row, pid_t monitor)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };
	int launched;

	for (int i = 0; i < LOOKS; i++) {
		launched = atomic_load(&row->launched);
		if (launched != 0 || (i > 0 && has_ended(monitor)))
			break;
		GATE(futex, &row->launched, FUTEX_WAIT, 0, &look);
	}
	return atomic_load(&row->launched);
}

pid_t monitor_start(struct launchpad *pad)
{
	pid_t pid = fork();
	int launched;

	if (pid == 0)
		watch_over(pad);
	if (pid < 0)
		return -errno;
	launched = wait_until_launched(pad->launch.row, pid);
	/*
	 * The row is shared: a value that another process has written there may be no
	 * errno.
	 */
	if (launched >= 0 || launched < -ERRNO_MOST)
		return pid;
	/* If the monitor itself wrote this, it has ended. */
	kill(pid, SIGKILL);
	GATE(waitid, P_PID, pid, NULL, WEXITED);
	return launched;
}
