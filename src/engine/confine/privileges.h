/*
 * What a child gives up before it serves: identity, root directory, resources, and the
 * gaining of new privileges. The steps, in their order, each with a name for the log.
 */
#ifndef ENGINE_PRIVILEGES_H
#define ENGINE_PRIVILEGES_H

#include <sys/resource.h>
#include <sys/types.h>

#include "base/why.h"
#include "prong.h"

struct score_row;

/* In the order in which they are taken. */
enum privileges_step {
	PRIVILEGES_NONE, /* no step failed */
	PRIVILEGES_SETSID,
	PRIVILEGES_SETPGID,  /* where there is no terminal to leave */
	PRIVILEGES_TERMINAL, /* what is opened in place of one */
	PRIVILEGES_SETRLIMIT,
	PRIVILEGES_CHROOT,
	PRIVILEGES_CHDIR,
	PRIVILEGES_SETGROUPS,
	PRIVILEGES_SETRESGID,
	PRIVILEGES_SETRESUID,
	PRIVILEGES_CAPSET,
	PRIVILEGES_KILL,   /* of what an earlier process of that user has left */
	PRIVILEGES_SETUID, /* back to root, which must fail */
	PRIVILEGES_PDEATHSIG,
	PRIVILEGES_NO_NEW_PRIVS,
	PRIVILEGES_LANDLOCK,
	PRIVILEGES_GATE,
	PRIVILEGES_CLOSE_RANGE, /* of all that a child is not to have */
	PRIVILEGES_RECEIVE, /* of the connection's descriptor, which a limit may forbid */
	PRIVILEGES_ACCEPT, /* by a worker that accepts for itself */
	PRIVILEGES_STEPS
};

/* On the heap, which children inherit; what the caller's options point to is copied. */
struct privileges {
	struct prong_privileges options;
	bool given;     /* by the options; else they are the default */
	bool keeps_ids; /* nothing is to be done about them here (any more) */
	bool keeps_root;
	bool keeps_capabilities; /* unless ids change */
	bool lowers_files;       /* to soft_files, the soft limit of descriptors */
	uint64_t soft_files;
	bool is_settled;       /* privileges_settle() has looked at what follows */
	bool has_capabilities; /* and so children do */
	bool apart;            /* each child has a domain of its own; domain.h */
	int apart_error;       /* why not, though asked for: an errno */
	int domain;            /* what privileges_enclose() enters; -1: nothing */
	uid_t guard; /* to become options.uid by way of; 0: the straight way */
};

struct privileges_failure {
	enum privileges_step step;
	int error; /* errno */
};

/*
 * Copies what was asked for; NULL: no_new_privs is all. Who goes into a sandbox gives up
 * its capabilities in any case. Returns 0 or -ENOMEM.
 */
int privileges_open(struct privileges **out, const struct prong_privileges *options,
		    bool sandbox);

/*
 * For a program: one that runs as root may gain privileges, since it has all rights there
 * are already, and since without that what it starts as other users, a login or the
 * delivery of a mail, would go wrong.
 */
void privileges_let_root_gain(struct privileges *privileges);
void privileges_close(struct privileges *privileges);

/*
 * Each child is to have a user of its own out of count ids from first on, and, what it
 * takes otherwise being the same, is tried out with the last of them.
 */
void privileges_give_users(struct privileges *privileges, uid_t first, unsigned count);

/*
 * In a child: what it is to take is user uid, with a group of the same number and no
 * others. It then ends whatever runs as uid. Until that has gone it has uid + 1, too, which
 * must be no other process's at any time.
 */
void privileges_take_user(struct privileges *mine, const struct privileges *all,
			  uid_t uid);

/*
 * The process has raised its soft limit of descriptors: its children go back to soft, or
 * to the limit that the options give.
 */
void privileges_lower_files(struct privileges *privileges, uint64_t soft);

/*
 * Whether the calling process has no_new_privs already, from its service manager, say:
 * then no option lets a program gain rights.
 */
bool privileges_are_fixed(void);

/* Whether there is a step that a sandbox lets nobody take but through the gate. */
bool privileges_need_gate(const struct privileges *privileges);

/*
 * Whether a process that takes them must have memory of its own: others of its new user
 * could stop it, and its new root may lie on a slow file system.
 */
bool privileges_need_fork(const struct privileges *privileges);

/* Prepares what children enter that are kept apart. Returns 0 or a negative errno. */
int privileges_open_domain(struct privileges *privileges);

/*
 * In a child, before privileges_take(): keeps it apart from all processes that are not of
 * its making, if its privileges say so. This comes while the process has the right to it. A
 * process of another user needs no_new_privs for it, which is set first, unless
 * allow_new_privs forbids that.
 */
int privileges_enclose(const struct privileges *privileges,
		       struct privileges_failure *failure);

/*
 * Takes all steps, in a process whose parent is supervisor (0: a supervisor's own) and
 * that is to die with it. Returns 0, or -1 with *failure filled, after which the
 * process must not go on.
 */
int privileges_take(const struct privileges *privileges, pid_t supervisor,
		    struct privileges_failure *failure);

/* In the supervisor, before its first child: looks once at what children would each. */
void privileges_settle(struct privileges *privileges);

/* Those that a supervisor takes itself, once: PRONG_DROP_SUPERVISOR. As above. */
int privileges_take_once(struct privileges *privileges,
			 struct privileges_failure *failure);

/* Says in why which step failed, and of what. Returns its errno, negative. */
int privileges_explain(const struct privileges *privileges,
		       const struct privileges_failure *failure, struct why *why);

/* Leaves the process, with failure in row for the supervisor to tell. */
_Noreturn void privileges_leave(struct score_row *row,
				const struct privileges_failure *failure);

/* "setresuid"; "?" for a number that is none. */
const char *privileges_step_name(int step);

#endif
