#include "trial.h"

#include <sys/mman.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "scoreboard.h"

/* What the child found out, in memory that both have. */
struct findings {
	bool finished;
	struct sandbox sandbox;
	struct score_row row; /* unused: nobody reads it */
	struct rights_failure failure;
	int program_error; /* of program_find() */
	struct program program;
	char why[PROGRAM_WHY_MAX];
};

/* In the order in which supervisor and children will do it. */
static _Noreturn void rehearse(const struct rights *rights, bool has_program,
			       pid_t parent, struct findings *findings)
{
	struct rights mine = *rights;

	if (rights->asked.drop == PRONG_DROP_SUPERVISOR &&
	    rights_take_once(&mine, &findings->failure) < 0)
		_exit(0);
	if (sandbox_install(&findings->sandbox) < 0)
		findings->sandbox.on = findings->sandbox.landlock = false;
	if (rights_take(&mine, parent, &findings->failure) < 0)
		_exit(0);
	if (has_program)
		findings->program_error =
			program_find(&findings->program, findings->why);
	if (sandbox_confine(&findings->sandbox, &findings->row, &findings->failure) < 0)
		_exit(0);
	findings->finished = true;
	_exit(0);
}

static int step_failed(const struct rights *rights,
		       const struct rights_failure *failure, char *why)
{
	const char *what = "";

	if (failure->step == RIGHTS_CHROOT || failure->step == RIGHTS_CHDIR)
		what = rights->asked.root;
	snprintf(why, TRIAL_WHY_MAX, "cannot give up rights: %s%s%.100s: %s%s",
		 rights_step_name((int)failure->step), *what != '\0' ? " " : "", what,
		 strerror(failure->error),
		 failure->error == EPERM ? " (this needs root, or its capability)"
					 : "");
	return -failure->error;
}

/*
 * A child that has ended and is not collected yet has the rights it ended with. A
 * supervisor that will be of the same user itself may signal it then.
 */
static int check_signalling(const struct rights *rights, pid_t pid, char *why)
{
	siginfo_t info;

	if (rights->asked.drop == PRONG_DROP_SUPERVISOR)
		return 0;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) < 0 ||
	    kill(pid, 0) == 0 || errno != EPERM)
		return 0;
	snprintf(why, TRIAL_WHY_MAX,
		 "cannot end processes of that user: this needs CAP_KILL");
	return -EPERM;
}

static int judge(const struct rights *rights, struct program *program,
		 struct sandbox *sandbox, const struct findings *findings, char *why)
{
	if (!findings->finished && findings->failure.step != RIGHTS_NONE)
		return step_failed(rights, &findings->failure, why);
	if (!findings->finished) {
		snprintf(why, TRIAL_WHY_MAX,
			 "a process with these rights and limits does not live");
		return -ECHILD;
	}
	*sandbox = findings->sandbox;
	sandbox->ruleset = -1;
	if (program == NULL)
		return 0;
	*program = findings->program;
	memcpy(why, findings->why, sizeof(findings->why));
	return findings->program_error;
}

int trial_run(const struct rights *rights, struct program *program,
	      struct sandbox *sandbox, char why[TRIAL_WHY_MAX])
{
	struct findings *findings = memory_shared(sizeof(*findings));
	pid_t parent = getpid();
	pid_t pid = -1;
	int err;

	snprintf(why, TRIAL_WHY_MAX, "no memory for a trial");
	if (findings == NULL)
		return -ENOMEM;
	findings->sandbox = *sandbox;
	if (program != NULL)
		findings->program = *program;
	pid = fork();
	if (pid == 0)
		rehearse(rights, program != NULL, parent, findings);
	err = pid < 0 ? -errno : check_signalling(rights, pid, why);
	if (pid < 0)
		snprintf(why, TRIAL_WHY_MAX, "cannot make a process: %s",
			 strerror(-err));
	else
		waitpid(pid, NULL, 0);
	if (err == 0)
		err = judge(rights, program, sandbox, findings, why);
	memory_release(findings, sizeof(*findings));
	return err;
}
