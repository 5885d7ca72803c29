#include "preflight.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/gate.h"
#include "base/memory.h"
#include "engine/record/scoreboard.h"

/* What the child found out, in memory that both processes share. */
struct findings {
	bool finished;
	struct sandbox sandbox;
	int apart; /* 0, or why processes cannot be kept apart: a negative errno */
	struct score_row row; /* required, but not read */
	struct privileges_failure failure;
	int error; /* of the trial */
	struct why why;
	_Alignas(max_align_t) char state[]; /* the trial's own */
};

/* Landlock may exist but not be usable, for example with too many layers of it. */
static bool try_sandbox(struct findings *findings)
{
	struct sandbox *sandbox = &findings->sandbox;

	if (sandbox_confine(sandbox, &findings->row, &findings->failure) == 0)
		return true;
	if (findings->failure.step != PRIVILEGES_LANDLOCK)
		return false;
	sandbox->landlock = false;
	sandbox->ruleset = -1;
	return sandbox_confine(sandbox, &findings->row, &findings->failure) == 0;
}

/* Landlock may be missing, or refused to a process with these capabilities. */
static int try_apart(struct privileges *mine)
{
	struct privileges_failure failure;
	int err = privileges_open_domain(mine);

	if (err == 0 && privileges_enclose(mine, &failure) < 0)
		err = -failure.error;
	if (err < 0)
		mine->domain = -1;
	return err;
}

/* Takes the steps in the order in which supervisor and children will take them. */
static _Noreturn void rehearse(const struct privileges *privileges,
			       const struct trial *trial, pid_t parent,
			       struct findings *findings)
{
	struct privileges mine = *privileges;

	if (privileges->options.drop == PRONG_DROP_SUPERVISOR &&
	    privileges_take_once(&mine, &findings->failure) < 0)
		_exit(0);
	if (sandbox_install(&findings->sandbox) < 0)
		findings->sandbox.on = findings->sandbox.landlock = false;
	mine.apart = trial->apart;
	findings->apart = try_apart(&mine);
	if (privileges_take(&mine, parent, &findings->failure) < 0)
		_exit(0);
	findings->error = trial->run(findings->state, &findings->why);
	if (!try_sandbox(findings))
		_exit(0);
	findings->finished = true;
	_exit(0);
}

/*
 * A child that has ended but is not reaped yet has the ids with which it ended. A
 * supervisor that will run as the same user may signal it then.
 */
static int check_signalling(const struct privileges *privileges, pid_t pid,
			    struct why *why)
{
	siginfo_t info;

	if (privileges->options.drop == PRONG_DROP_SUPERVISOR)
		return 0;
	while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT | __WALL) < 0 &&
	       errno == EINTR)
		;
	if (kill(pid, 0) == 0 || errno != EPERM)
		return 0;
	return why_fail(why, -EPERM,
			"the supervisor cannot signal processes of the user that it "
			"serves as: it needs CAP_KILL");
}

static int preflight_result(struct privileges *privileges, const struct trial *trial,
			    struct sandbox *sandbox, const struct findings *findings,
			    struct why *why)
{
	if (!findings->finished && findings->failure.step != PRIVILEGES_NONE)
		return privileges_explain(privileges, &findings->failure, why);
	if (!findings->finished)
		return why_fail(why, -ECHILD,
				"a test process with these privileges and limits "
				"was killed before it was ready: raise the limits");
	privileges->apart = trial->apart && findings->apart == 0;
	privileges->apart_error = -findings->apart;
	sandbox->on = findings->sandbox.on;
	sandbox->landlock = findings->sandbox.landlock;
	if (trial->size > 0)
		memcpy(trial->state, findings->state, trial->size);
	if (findings->error < 0)
		*why = findings->why;
	return findings->error;
}

static int try_in_child(struct privileges *privileges, const struct trial *trial,
			struct sandbox *sandbox, struct why *why)
{
	size_t size = sizeof(struct findings) + trial->size;
	struct findings *findings = memory_shared(size);
	pid_t parent = getpid();
	pid_t pid = -1;
	int err;

	if (findings == NULL)
		return why_fail(why, -ENOMEM, "no memory to try out the privileges");
	findings->sandbox = *sandbox;
	if (trial->size > 0)
		memcpy(findings->state, trial->state, trial->size);
	/*
	 * Without SIGCHLD, whose handling by the host program is meant for its own
	 * children.
	 */
	pid = (pid_t)GATE(clone, 0);
	if (pid == 0)
		rehearse(privileges, trial, parent, findings);
	err = pid < 0 ? (int)pid : check_signalling(privileges, pid, why);
	if (pid < 0)
		err = why_kernels(why_call(why, err, "create a process", "clone(2)"));
	while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	if (err == 0)
		err = preflight_result(privileges, trial, sandbox, findings, why);
	memory_release(findings, size);
	return err;
}

int preflight_run(struct privileges *privileges, const struct trial *trial,
		  struct sandbox *sandbox, struct why *why)
{
	if (privileges->given || sandbox->on || trial->in_child || trial->apart)
		return try_in_child(privileges, trial, sandbox, why);
	return trial->run(trial->state, why);
}
