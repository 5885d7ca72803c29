/*
 * What a child gives up before it serves: identity, root directory, resources, and the
 * ability to gain privileges. The steps, in their order, each with a name for the log.
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
	PRIVILEGES_SETPGID,  /* done where there is no terminal to leave */
	PRIVILEGES_TERMINAL, /* opening what replaces a terminal */
	PRIVILEGES_SETRLIMIT,
	PRIVILEGES_CHROOT,
	PRIVILEGES_CHDIR,
	PRIVILEGES_SETGROUPS,
	PRIVILEGES_SETRESGID,
	PRIVILEGES_SETRESUID,
	PRIVILEGES_CAPSET,
	PRIVILEGES_KILL,   /* ending what an earlier process of that user left */
	PRIVILEGES_SETUID, /* going back to root, which must fail */
	PRIVILEGES_PDEATHSIG,
	PRIVILEGES_NO_NEW_PRIVS,
	PRIVILEGES_LANDLOCK,
	PRIVILEGES_GATE,
	PRIVILEGES_CLOSE_RANGE, /* closing all descriptors that a child may not have */
	PRIVILEGES_RECEIVE,     /* receiving the connection, which a limit may forbid */
	PRIVILEGES_ACCEPT,      /* done by a worker that accepts for itself */
	PRIVILEGES_STEPS
};

/* On the heap, which children inherit; a copy of what the caller's options point to. */
struct privileges {
	struct prong_privileges options;
	bool given;     /* set by the options; false: the defaults */
	bool keeps_ids; /* ids are not changed here, or were changed already */
	bool keeps_root;
	bool keeps_capabilities; /* unless ids change */
	bool lowers_files;       /* lowers the soft descriptor limit to soft_files */
	uint64_t soft_files;
	bool is_settled;       /* privileges_settle() has set the fields below */
	bool has_capabilities; /* the process has some, and so do its children */
	bool apart;            /* each child has a domain of its own; domain.h */
	int apart_error;       /* why not, although it was asked for: an errno */
	int domain;            /* for privileges_enclose(); -1: none */
	uid_t guard;           /* becomes options.uid through this user; 0: directly */
};

struct privileges_failure {
	enum privileges_step step;
	int error; /* errno */
};

/*
 * Copies what was asked for; NULL: only no_new_privs. A process that enters a sandbox
 * gives up its capabilities in any case. Returns 0 or -ENOMEM.
 */
int privileges_open(struct privileges **out, const struct prong_privileges *options,
		    bool sandbox);

/*
 * For a program: if it runs as root, it may gain privileges. It has all privileges
 * anyway, and without this, what it starts as other users would fail, for example a
 * login or the delivery of mail.
 */
void privileges_let_root_gain(struct privileges *privileges);
void privileges_close(struct privileges *privileges);

/*
 * Gives each child a user of its own out of count ids from first on. The trial uses the
 * last of them; otherwise it takes the same steps.
 */
void privileges_give_users(struct privileges *privileges, uid_t first, unsigned count);

/*
 * In a child: makes it take user uid, with a group of the same number and no other
 * groups. It then ends whatever runs as uid. Until that is gone it also has uid + 1,
 * which must never be used by another process.
 */
void privileges_take_user(struct privileges *mine, const struct privileges *all,
			  uid_t uid);

/*
 * The process has raised its soft limit of descriptors: its children return to soft, or
 * to the limit that the options give.
 */
void privileges_lower_files(struct privileges *privileges, uint64_t soft);

/*
 * Whether the calling process already has no_new_privs, for example from its service
 * manager. No option can then let a program gain privileges.
 */
bool privileges_are_fixed(void);

/* Whether a step is needed that the sandbox permits only through the gate. */
bool privileges_need_gate(const struct privileges *privileges);

/*
 * Whether a process that takes these steps needs memory of its own: other processes of
 * its new user could stop it, and its new root may lie on a slow file system.
 */
bool privileges_need_fork(const struct privileges *privileges);

/*
 * Prepares the domains of children that are kept apart. Returns 0 or a negative errno.
 */
int privileges_open_domain(struct privileges *privileges);

/*
 * In a child, before privileges_take(): keeps it apart from all processes that it does
 * not start itself, if its privileges ask for that. It is called while the process
 * still has the permission. A process of another user needs no_new_privs for it; that
 * is set first, unless allow_new_privs forbids it.
 */
int privileges_enclose(const struct privileges *privileges,
		       struct privileges_failure *failure);

/*
 * Takes all steps, in a process whose parent is supervisor and that must die with it
 * (0: the supervisor itself). Returns 0, or -1 with *failure filled; the process must
 * then not go on.
 */
int privileges_take(const struct privileges *privileges, pid_t supervisor,
		    struct privileges_failure *failure);

/*
 * In the supervisor, before its first child: determines once what each child would
 * otherwise have to find out.
 */
void privileges_settle(struct privileges *privileges);

/* The steps that a supervisor takes itself, once: PRONG_DROP_SUPERVISOR. As above. */
int privileges_take_once(struct privileges *privileges,
			 struct privileges_failure *failure);

/* Says in why which step failed, and on what. Returns its negative errno. */
int privileges_explain(const struct privileges *privileges,
		       const struct privileges_failure *failure, struct why *why);

/* Ends the process; failure is left in row for the supervisor to log. */
_Noreturn void privileges_leave(struct score_row *row,
				const struct privileges_failure *failure);

/* For example "setresuid"; "?" if there is no such step. */
const char *privileges_step_name(int step);

#endif
