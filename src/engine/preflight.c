#include "preflight.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/gate.h"
#include "base/memory.h"
#include "engine/record/scoreboard.h"

/* What the child found out, in memory that both have. */
struct findings {
	bool finished;
	struct sandbox sandbox;
	struct score_row row; /* unused: nobody reads it */
	struct privileges_failure failure;
	int program_error; /* of program_find() */
	struct program program;
	struct why why;
};

/* Where the program will be looked for: in its own directory, if the name is relative. */
static int find_program(struct program *program, struct why *why)
{
	const char *directory = program->options.directory;

	if (directory == NULL || chdir(directory) == 0)
		return program_find(program, why);
	return why_fail(why, -errno, "cannot start in %.150s: %s", directory,
			strerror(errno));
}

/* Landlock may be there, and not to be had: too many layers of it, say. */
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

/* In the order in which supervisor and children will do it. */
static _Noreturn void rehearse(const struct privileges *privileges,
			       const struct program *program, pid_t parent,
			       struct findings *findings)
{
	struct privileges mine = *privileges;

	if (privileges->options.drop == PRONG_DROP_SUPERVISOR &&
	    privileges_take_once(&mine, &findings->failure) < 0)
		_exit(0);
	if (sandbox_install(&findings->sandbox) < 0)
		findings->sandbox.on = findings->sandbox.landlock = false;
	if (privileges_take(&mine, parent, &findings->failure) < 0)
		_exit(0);
	if (program != NULL)
		findings->program_error =
			find_program(&findings->program, &findings->why);
	if (!try_sandbox(findings))
		_exit(0);
	findings->finished = true;
	_exit(0);
}

/*
 * A child that has ended and is not collected yet has the rights it ended with. A
 * supervisor that will be of the same user itself may signal it then.
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
			"cannot end processes of that user: this needs CAP_KILL");
}

static int preflight_result(const struct privileges *privileges,
			    struct program *program, struct sandbox *sandbox,
			    const struct findings *findings, struct why *why)
{
	if (!findings->finished && findings->failure.step != PRIVILEGES_NONE)
		return privileges_explain(privileges, &findings->failure, why);
	if (!findings->finished)
		return why_fail(why, -ECHILD,
				"a process with these rights and limits does not live");
	sandbox->on = findings->sandbox.on;
	sandbox->landlock = findings->sandbox.landlock;
	if (program == NULL)
		return 0;
	*program = findings->program;
	if (why != NULL)
		*why = findings->why;
	return findings->program_error;
}

static int try_in_child(const struct privileges *privileges, struct program *program,
			struct sandbox *sandbox, struct why *why)
{
	struct findings *findings = memory_shared(sizeof(*findings));
	pid_t parent = getpid();
	pid_t pid = -1;
	int err;

	if (findings == NULL)
		return why_fail(why, -ENOMEM, "no memory for a trial");
	findings->sandbox = *sandbox;
	if (program != NULL)
		findings->program = *program;
	/* Without SIGCHLD: whatever the host does about that is for its own children. */
	pid = (pid_t)GATE(clone, 0);
	if (pid == 0)
		rehearse(privileges, program, parent, findings);
	err = pid < 0 ? (int)pid : check_signalling(privileges, pid, why);
	if (pid < 0)
		why_call(why, err, "make a process", "clone(2)");
	while (pid > 0 && waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
		;
	if (err == 0)
		err = preflight_result(privileges, program, sandbox, findings, why);
	memory_release(findings, sizeof(*findings));
	return err;
}

int preflight_run(const struct privileges *privileges, struct program *program,
		  struct sandbox *sandbox, struct why *why)
{
	if (privileges->given || sandbox->on ||
	    (program != NULL && program->options.directory != NULL))
		return try_in_child(privileges, program, sandbox, why);
	return program != NULL ? program_find(program, why) : 0;
}
