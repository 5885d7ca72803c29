#include "launch.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "warm.h"
#include "engine/confine/privileges.h"
#include "engine/record/scoreboard.h"
#include "engine/worker/child.h"

static int direct_error_output(const struct launch *launch)
{
	switch (launch->program->options.error_output) {
	case PRONG_STDERR_KEEP:
		errno = -child_shut_terminals(2, 2);
		return errno != 0 ? -1 : 0;
	case PRONG_STDERR_CONNECTION:
		return dup2(launch->connection, 2);
	case PRONG_STDERR_NULL:
		return dup2(launch->null, 2);
	}
	return 0;
}

static _Noreturn void fail_at(const struct launch *launch, enum privileges_step step)
{
	privileges_leave(launch->row, &(struct privileges_failure){ step, errno });
}

static int direct_streams(const struct launch *launch)
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

static void take_privileges(const struct launch *launch)
{
	struct privileges_failure failure;

	if (launch->privileges != NULL &&
	    privileges_take(launch->privileges, launch->parent, &failure) < 0)
		privileges_leave(launch->row, &failure);
}

/* A session of its own, or, of a monitor, the group that signals are sent to. */
static int part_from_terminal(const struct launch *launch)
{
	return launch->group == 0 ? (int)setsid() : setpgid(0, launch->group);
}

/* The steps in the child. Returns only if one fails, with errno set. */
static void become_program(const struct launch *launch)
{
	const struct prong_program *options = &launch->program->options;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		fail_at(launch, PRIVILEGES_PDEATHSIG);
	if (getppid() != launch->parent)
		_exit(0);
	if (part_from_terminal(launch) < 0)
		fail_at(launch, PRIVILEGES_SETSID);
	if (direct_streams(launch) < 0)
		return;
	take_privileges(launch);
	if (options->directory != NULL && chdir(options->directory) < 0)
		return;
	if (options->set_umask)
		umask(options->umask);
	child_reset_signals();
	execve(launch->program->path, (char *const *)options->argv,
	       (char *const *)launch->environment->at);
}

pid_t launch_program(const struct launch *launch)
{
	bool apart = launch->privileges != NULL &&
		     privileges_change_user(launch->privileges);
	pid_t pid = apart ? fork() : vfork();

	if (pid == 0) {
		become_program(launch);
		atomic_store(&launch->row->error, errno);
		_exit(127);
	}
	if (pid < 0)
		return -errno;
	if (apart || atomic_load(&launch->row->error) == 0)
		return pid;
	waitpid(pid, NULL, 0);
	return 0;
}
