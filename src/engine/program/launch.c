#include "launch.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "warm.h"
#include "base/call.h"
#include "base/gate.h"
#include "engine/confine/privileges.h"
#include "engine/record/scoreboard.h"
#include "engine/worker/child.h"

/*
 * For code that runs on the launchpad's stack: before a call that does not return, ASan
 * would clear the stack up to the end that the thread had, and warns that it cannot.
 */
#define ON_OWN_STACK __attribute__((no_sanitize_address))

static int direct_error_output(const struct launch *launch)
{
	switch (launch->program->options.error_output) {
	case PRONG_STDERR_LOG:
		return dup2(launch->error, 2);
	case PRONG_STDERR_INHERIT:
		errno = -child_shut_terminals(2, 2);
		return errno != 0 ? -1 : 0;
	case PRONG_STDERR_CONNECTION:
		return dup2(launch->connection, 2);
	case PRONG_STDERR_NULL:
		return dup2(launch->null, 2);
	}
	return 0;
}

ON_OWN_STACK static _Noreturn void fail_at(const struct launch *launch,
					   enum privileges_step step)
{
	privileges_leave(launch->row, &(struct privileges_failure){ step, errno });
}

ON_OWN_STACK static int direct_streams(const struct launch *launch)
{
	int first = launch->channel >= 0 ? WARM_CHANNEL + 1 : 3;

	if (dup2(launch->connection, 0) < 0 || dup2(launch->connection, 1) < 0 ||
	    direct_error_output(launch) < 0)
		return -1;
	if (launch->channel >= 0 && dup2(launch->channel, WARM_CHANNEL) < 0)
		return -1;
	if (close_range((unsigned)first, ~0U, 0) < 0)
		fail_at(launch, PRIVILEGES_CLOSE_RANGE);
	return 0;
}

ON_OWN_STACK static void take_privileges(const struct launch *launch)
{
	const struct privileges *privileges = launch->privileges;
	struct privileges_failure failure;
	struct privileges mine;

	if (launch->uid != 0) {
		privileges_take_user(&mine, privileges, launch->uid);
		privileges = &mine;
	}
	if (privileges_take(privileges, launch->parent, &failure) < 0)
		privileges_leave(launch->row, &failure);
}

/* Called while the process still has the permission, and the descriptor. */
ON_OWN_STACK static void enclose(const struct launch *launch)
{
	struct privileges_failure failure;

	if (privileges_enclose(launch->privileges, &failure) < 0)
		privileges_leave(launch->row, &failure);
}

/* The steps that the supervisor waits for. Returns -1 with errno set if one fails. */
ON_OWN_STACK static int settle(const struct launch *launch)
{
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail_at(launch, PRIVILEGES_PDEATHSIG);
	if (getppid() != launch->parent)
		call_exit(0);
	if (setsid() < 0)
		fail_at(launch, PRIVILEGES_SETSID);
	enclose(launch);
	if (direct_streams(launch) < 0)
		return -1;
	take_privileges(launch);
	return 0;
}

/*
 * The steps that the supervisor does not wait for, since a file system may be slow. The
 * supervisor uses errno meanwhile. Returns only if a step fails, with its negative
 * errno.
 */
static int become_program(const struct launch *launch,
			  const struct environment *environment)
{
	const struct prong_program *options = &launch->program->options;
	long err = 0;

	if (options->directory != NULL)
		err = GATE(chdir, options->directory);
	if (err < 0)
		return (int)err;
	if (options->set_umask)
		GATE(umask, options->umask);
	child_reset_signals();
	return (int)GATE(execve, launch->program->path, options->argv, environment->at);
}

/*
 * Looks up names, which may take long: with the privileges that the program will have,
 * and so that a signal can end it. Descriptors that the lookup leaves open are closed
 * before the program runs.
 */
static void look_names_up(struct launchpad *pad)
{
	const struct launch *launch = &pad->launch;
	struct client client = *launch->client;

	client.fd = STDIN_FILENO;
	child_reset_signals();
	environment_fill(&pad->environment, launch->program, &client,
			 launch->connections);
	environment_add_user(&pad->environment, launch->program, launch->uid);
	close_range(3, ~0U, 0);
}

static int run(void *arg)
{
	struct launchpad *pad = arg;
	int err = settle(&pad->launch) < 0 ? -errno : 0;

	/*
	 * Read before the failure is noted: from then on the supervisor uses errno
	 * itself.
	 */
	atomic_store(&pad->stage, LAUNCHPAD_SETTLED);
	GATE(futex, &pad->stage, FUTEX_WAKE, 1);
	if (err == 0 && pad->launch.client != NULL)
		look_names_up(pad);
	if (err == 0)
		err = become_program(&pad->launch, &pad->environment);
	atomic_store(&pad->launch.row->error, -err);
	GATE(exit_group, 127);
	__builtin_unreachable();
}

/*
 * The kernel also wakes it when the child has left the memory, by exec or by its end.
 */
static void wait_until_settled(struct launchpad *pad)
{
	while (atomic_load(&pad->stage) == LAUNCHPAD_SHARED)
		GATE(futex, &pad->stage, FUTEX_WAIT, LAUNCHPAD_SHARED, NULL);
}

static pid_t start_apart(struct launchpad *pad)
{
	pid_t pid = fork();

	if (pid == 0)
		run(pad);
	return pid < 0 ? -errno : pid;
}

static pid_t start_beside(struct launchpad *pad)
{
	char *stack = (char *)pad + LAUNCHPAD_BYTES;
	pid_t pid;

	atomic_store(&pad->stage, LAUNCHPAD_SHARED);
	pid = clone(run, stack, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD, pad, NULL,
		    NULL, &pad->stage);
	if (pid < 0) {
		atomic_store(&pad->stage, LAUNCHPAD_LEFT);
		return -errno;
	}
	wait_until_settled(pad);
	return pid;
}

pid_t launch_program(struct launchpad *pad)
{
	if (privileges_need_fork(pad->launch.privileges) || pad->launch.client != NULL)
		return start_apart(pad);
	return start_beside(pad);
}
