/*
 * What a child gives up before it serves: identity, root directory, resources, and the
 * gaining of new privileges. The steps, in their order, each with a name for the log.
 */
#ifndef ENGINE_RIGHTS_H
#define ENGINE_RIGHTS_H

#include <sys/resource.h>
#include <sys/types.h>

#include "prong.h"

#define RIGHTS_WHY_MAX 300

struct score_row;

/* In the order in which they are taken. */
enum rights_step {
	RIGHTS_NONE, /* no step failed */
	RIGHTS_SETRLIMIT,
	RIGHTS_CHROOT,
	RIGHTS_CHDIR,
	RIGHTS_SETGROUPS,
	RIGHTS_SETRESGID,
	RIGHTS_SETRESUID,
	RIGHTS_CAPSET,
	RIGHTS_SETUID, /* back to root, which must fail */
	RIGHTS_PDEATHSIG,
	RIGHTS_NO_NEW_PRIVS,
	RIGHTS_LANDLOCK,
	RIGHTS_GATE,
	RIGHTS_RECEIVE, /* of the connection's descriptor, which a limit may forbid */
	RIGHTS_ACCEPT,  /* by a worker that accepts for itself */
	RIGHTS_STEPS
};

/* On the heap, which children inherit; what the caller's options point to is copied. */
struct rights {
	struct prong_rights asked;
	bool keeps_ids; /* nothing is to be done about them here (any more) */
	bool keeps_root;
	bool keeps_capabilities; /* unless ids change */
};

struct rights_failure {
	enum rights_step step;
	int error; /* errno */
};

/*
 * Copies what was asked for; NULL: no_new_privs is all. Who goes into a sandbox gives up
 * its capabilities in any case. Returns 0 or -ENOMEM.
 */
int rights_open(struct rights **out, const struct prong_rights *asked, bool sandbox);
void rights_close(struct rights *rights);

/* Whether there is a step that a sandbox lets nobody take but through the gate. */
bool rights_need_gate(const struct rights *rights);

/* Whether another user's processes come of it, who could disturb a vfork(2). */
bool rights_change_user(const struct rights *rights);

/*
 * Takes all steps, in a process whose parent is supervisor (0: a supervisor's own) and
 * that is to die with it. Returns 0, or -1 with *failure filled, after which the
 * process must not go on.
 */
int rights_take(const struct rights *rights, pid_t supervisor,
		struct rights_failure *failure);

/* Those that a supervisor takes itself, once: PRONG_DROP_SUPERVISOR. As above. */
int rights_take_once(struct rights *rights, struct rights_failure *failure);

/* Says in why which step failed, and of what. Returns its errno, negative. */
int rights_explain(const struct rights *rights, const struct rights_failure *failure,
		   char why[RIGHTS_WHY_MAX]);

/* Leaves the process, with failure in row for the supervisor to tell. */
_Noreturn void rights_leave(struct score_row *row,
			    const struct rights_failure *failure);

/* "setresuid"; "?" for a number that is none. */
const char *rights_step_name(int step);

#endif
