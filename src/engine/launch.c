#include "launch.h"

#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "base/warm.h"
#include "signals.h"

static int direct_error_output(const struct launch *launch)
{
	int null;

	switch (launch->program->asked.error_output) {
	case PRONG_STDERR_KEEP:
		return 0;
	case PRONG_STDERR_CONNECTION:
		return dup2(launch->connection, 2);
	case PRONG_STDERR_NULL:
		null = open("/dev/null", O_RDWR);
		return null < 0 ? -1 : dup2(null, 2);
	}
	return 0;
}

/* The steps in the child. Returns only if one fails, with errno set. */
static void become_program(const struct launch *launch)
{
	const struct prong_program *asked = &launch->program->asked;

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return;
	if (getppid() != launch->parent)
		_exit(0);
	if (setpgid(0, launch->group) < 0)
		return;
	if (dup2(launch->connection, 0) < 0 || dup2(launch->connection, 1) < 0 ||
	    direct_error_output(launch) < 0)
		return;
	if (launch->channel >= 0 && dup2(launch->channel, WARM_CHANNEL) < 0)
		return;
	if (close_range(launch->channel >= 0 ? WARM_CHANNEL + 1 : 3, ~0U, 0) < 0)
		return;
	if (asked->directory != NULL && chdir(asked->directory) < 0)
		return;
	if (asked->set_umask)
		umask(asked->umask);
	signals_reset_child();
	execve(launch->program->path, (char *const *)asked->argv,
	       (char *const *)launch->environment->at);
}

pid_t launch_program(struct launch *launch)
{
	pid_t pid;

	launch->error = 0;
	pid = vfork();
	if (pid == 0) {
		become_program(launch);
		launch->error = errno;
		_exit(127);
	}
	if (pid < 0)
		return -errno;
	if (launch->error == 0)
		return pid;
	waitpid(pid, NULL, 0);
	return 0;
}
