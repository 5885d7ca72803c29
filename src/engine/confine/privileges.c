#include "privileges.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/call.h"
#include "base/gate.h"
#include "domain.h"
#include "engine/record/reason.h"
#include "engine/record/scoreboard.h"

/*
 * 32-bit systems have two sets of calls; the older set takes 16-bit ids. The system
 * calls are made directly, not through libc, for two reasons: libc's functions would
 * apply them to all threads, and the sandbox wants them to go through the gate (see
 * privileges_need_gate()).
 */
#if defined(SYS_setresuid32)
#define SYS_prong_setresuid SYS_setresuid32
#define SYS_prong_setresgid SYS_setresgid32
#define SYS_prong_setgroups SYS_setgroups32
#define SYS_prong_setuid    SYS_setuid32
#else
#define SYS_prong_setresuid SYS_setresuid
#define SYS_prong_setresgid SYS_setresgid
#define SYS_prong_setgroups SYS_setgroups
#define SYS_prong_setuid    SYS_setuid
#endif

#define LOOKS_MOST 1000 /* for a user's other processes to end, 1 ms each */

static const char *const step_names[PRIVILEGES_STEPS] = {
	[PRIVILEGES_NONE] = "none",
	[PRIVILEGES_SETSID] = "setsid",
	[PRIVILEGES_SETPGID] = "setpgid",
	[PRIVILEGES_TERMINAL] = "open",
	[PRIVILEGES_SETRLIMIT] = "setrlimit",
	[PRIVILEGES_CHROOT] = "chroot",
	[PRIVILEGES_CHDIR] = "chdir",
	[PRIVILEGES_SETGROUPS] = "setgroups",
	[PRIVILEGES_SETRESGID] = "setresgid",
	[PRIVILEGES_SETRESUID] = "setresuid",
	[PRIVILEGES_CAPSET] = "capset",
	[PRIVILEGES_KILL] = "kill",
	[PRIVILEGES_SETUID] = "setuid",
	[PRIVILEGES_PDEATHSIG] = "prctl(PR_SET_PDEATHSIG)",
	[PRIVILEGES_NO_NEW_PRIVS] = "prctl(PR_SET_NO_NEW_PRIVS)",
	[PRIVILEGES_LANDLOCK] = "landlock_restrict_self",
	[PRIVILEGES_GATE] = "munmap",
	[PRIVILEGES_CLOSE_RANGE] = "close_range",
	[PRIVILEGES_RECEIVE] = "recvmsg",
	[PRIVILEGES_ACCEPT] = "accept",
};

const char *privileges_step_name(int step)
{
	return step >= 0 && step < PRIVILEGES_STEPS ? step_names[step] : "?";
}

static void *copy(const void *from, size_t size)
{
	void *to = malloc(size == 0 ? 1 : size);

	if (to != NULL && size > 0)
		memcpy(to, from, size);
	return to;
}

int privileges_open(struct privileges **out, const struct prong_privileges *options,
		    bool sandbox)
{
	static const struct prong_privileges none;
	struct privileges *privileges = calloc(1, sizeof(*privileges));

	if (privileges == NULL)
		return -ENOMEM;
	privileges->given = options != NULL;
	privileges->domain = -1;
	if (options == NULL)
		options = &none;
	privileges->options = *options;
	privileges->options.groups = copy(
		options->groups, options->group_count * sizeof(options->groups[0]));
	privileges->options.limits = copy(
		options->limits, options->limit_count * sizeof(options->limits[0]));
	privileges->options.root = NULL;
	if (options->root != NULL)
		privileges->options.root = strdup(options->root);
	privileges->keeps_ids = !options->change_ids;
	privileges->keeps_root = options->root == NULL;
	privileges->keeps_capabilities = !sandbox;
	if (privileges->options.groups == NULL || privileges->options.limits == NULL ||
	    (options->root != NULL && privileges->options.root == NULL)) {
		privileges_close(privileges);
		return -ENOMEM;
	}
	*out = privileges;
	return 0;
}

void privileges_let_root_gain(struct privileges *privileges)
{
	struct prong_privileges *options = &privileges->options;
	uid_t uid = options->change_ids ? options->uid : geteuid();

	if (uid == 0)
		options->allow_new_privs = true;
}

void privileges_give_users(struct privileges *privileges, uid_t first, unsigned count)
{
	struct prong_privileges *options = &privileges->options;

	options->change_ids = true;
	/* No program has that user, so no process of it can end the trial. */
	options->uid = first + count - 1;
	options->gid = first;
	options->group_count = 0;
	privileges->given = true;
	privileges->keeps_ids = false;
}

void privileges_take_user(struct privileges *mine, const struct privileges *all,
			  uid_t uid)
{
	*mine = *all;
	mine->options.uid = mine->options.gid = uid;
	mine->guard = uid + 1;
}

void privileges_close(struct privileges *privileges)
{
	if (privileges == NULL)
		return;
	if (privileges->domain >= 0)
		close(privileges->domain);
	free((void *)privileges->options.groups);
	free((void *)privileges->options.limits);
	free((void *)privileges->options.root);
	free(privileges);
}

void privileges_lower_files(struct privileges *privileges, uint64_t soft)
{
	privileges->lowers_files = true;
	privileges->soft_files = soft;
}

bool privileges_are_fixed(void)
{
	return prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

bool privileges_need_gate(const struct privileges *privileges)
{
	return privileges->options.limit_count > 0 || !privileges->keeps_root ||
	       !privileges->keeps_ids;
}

bool privileges_need_fork(const struct privileges *privileges)
{
	return !privileges->keeps_ids || !privileges->keeps_root;
}

/* Notes the step if its call failed. Returns whether it did. */
static bool failed(struct privileges_failure *failure, enum privileges_step step,
		   long result)
{
	if (result >= 0)
		return false;
	failure->step = step;
	failure->error = (int)-result;
	return true;
}

static bool new_privileges_stay(struct privileges_failure *failure)
{
	return failed(failure, PRIVILEGES_NO_NEW_PRIVS,
		      CALL(prctl, PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

/* The hard limit is left as it is: raising it again would need a capability. */
static bool files_fail(uint64_t soft, struct privileges_failure *failure)
{
	struct rlimit64 value;

	if (failed(failure, PRIVILEGES_SETRLIMIT,
		   GATE(prlimit64, 0, RLIMIT_NOFILE, NULL, &value)))
		return true;
	if (value.rlim_cur <= soft)
		return false;
	value.rlim_cur = soft;
	return failed(failure, PRIVILEGES_SETRLIMIT,
		      GATE(prlimit64, 0, RLIMIT_NOFILE, &value, NULL));
}

static bool limits_fail(const struct privileges *privileges,
			struct privileges_failure *failure)
{
	const struct prong_privileges *options = &privileges->options;

	if (privileges->lowers_files && files_fail(privileges->soft_files, failure))
		return true;
	for (size_t i = 0; i < options->limit_count; i++) {
		const struct prong_rlimit *limit = &options->limits[i];
		struct rlimit64 value = { limit->soft, limit->hard };

		if (failed(failure, PRIVILEGES_SETRLIMIT,
			   GATE(prlimit64, 0, limit->resource, &value, NULL)))
			return true;
	}
	return false;
}

static bool root_fails(const struct prong_privileges *options,
		       struct privileges_failure *failure)
{
	return failed(failure, PRIVILEGES_CHROOT, GATE(chroot, options->root)) ||
	       failed(failure, PRIVILEGES_CHDIR, GATE(chdir, "/"));
}

static bool has_no_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3] = { { 0 } };

	if (CALL(capget, &header, now) < 0)
		return false;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if ((now[i].effective | now[i].permitted | now[i].inheritable) != 0)
			return false;
	return true;
}

/* A process that began without root may have had capabilities, too; all are gone. */
static bool capabilities_fail(struct privileges_failure *failure)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return failed(failure, PRIVILEGES_CAPSET, CALL(capset, &header, none));
}

/* If a way back exists, the kernel has done something else than we assume. */
static bool way_back_exists(uid_t uid, struct privileges_failure *failure)
{
	if (uid == 0 || GATE(prong_setuid, 0) < 0)
		return false;
	failure->step = PRIVILEGES_SETUID;
	failure->error = EPERM;
	return true;
}

/*
 * Sets groups while that is still allowed, and the group while the user is still root.
 */
static bool ids_fail(const struct privileges *privileges,
		     struct privileges_failure *failure)
{
	const struct prong_privileges *options = &privileges->options;
	uid_t outer = privileges->guard != 0 ? privileges->guard : options->uid;

	return failed(failure, PRIVILEGES_SETGROUPS,
		      GATE(prong_setgroups, options->group_count, options->groups)) ||
	       failed(failure, PRIVILEGES_SETRESGID,
		      GATE(prong_setresgid, options->gid, options->gid,
			   options->gid)) ||
	       failed(failure, PRIVILEGES_SETRESUID,
		      GATE(prong_setresuid, outer, options->uid, outer));
}

/*
 * Whether kill(2) reaches only processes of uid, whatever the earlier calls have done.
 */
static bool reaches_only(uid_t uid, uid_t guard)
{
	uid_t real, effective, saved;

	return getresuid(&real, &effective, &saved) == 0 && real == guard &&
	       effective == uid && has_no_capabilities();
}

/* kill(2) skips the calling process; ESRCH: it is the only one. */
static bool kill_fails(const struct privileges *privileges,
		       struct privileges_failure *failure)
{
	long killed = -EPERM;

	if (reaches_only(privileges->options.uid, privileges->guard))
		killed = GATE(kill, -1, SIGKILL);
	return killed != -ESRCH && failed(failure, PRIVILEGES_KILL, killed);
}

/*
 * Kills every process that runs as this process's effective user, and waits until they
 * are gone; a process in a system call first finishes that. What is left after the wait
 * is a zombie, or cannot leave its system call; it runs no more code.
 */
static bool others_stay(const struct privileges *privileges,
			struct privileges_failure *failure)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };

	for (int i = 0; i < LOOKS_MOST; i++) {
		long found = GATE(getpriority, PRIO_USER, privileges->options.uid);

		if (found == -ESRCH)
			return false;
		if (failed(failure, PRIVILEGES_KILL, found) ||
		    kill_fails(privileges, failure))
			return true;
		GATE(nanosleep, &pause, NULL);
	}
	return false;
}

/*
 * kill(2) compares the sender's real and effective user with the target's real and
 * saved user. So this process makes the guard its real and saved user, and ends all
 * processes of its effective user, before one of them can end or stop it. It has no
 * capability left with which it would end those of other users too.
 *
 * getpriority(2) finds processes by their real user. A process that has gained
 * privileges may have another real user, and still have its old one as the saved user.
 */
static bool user_fails(const struct privileges *privileges,
		       struct privileges_failure *failure)
{
	const struct prong_privileges *options = &privileges->options;
	uid_t uid = options->uid;

	if (privileges->guard == 0)
		return false;
	return (options->allow_new_privs && kill_fails(privileges, failure)) ||
	       others_stay(privileges, failure) ||
	       failed(failure, PRIVILEGES_SETRESUID,
		      GATE(prong_setresuid, uid, uid, uid));
}

/* Children have the capabilities of their parent, which has looked once. */
static bool has_some(const struct privileges *privileges)
{
	return privileges->is_settled ? privileges->has_capabilities
				      : !has_no_capabilities();
}

static bool identity_fails(const struct privileges *privileges,
			   struct privileges_failure *failure)
{
	const struct prong_privileges *options = &privileges->options;
	bool changes = !privileges->keeps_ids;

	/*
	 * A service manager may forbid the call to processes without capabilities
	 * (systemd, ~@privileged).
	 */
	if (!changes)
		return !privileges->keeps_capabilities && has_some(privileges) &&
		       capabilities_fail(failure);
	return ids_fail(privileges, failure) ||
	       ((options->uid != 0 || !privileges->keeps_capabilities) &&
		capabilities_fail(failure)) ||
	       user_fails(privileges, failure) ||
	       way_back_exists(options->uid, failure);
}

/*
 * Changing the user clears the signal that the parent's death sends (prctl(2)). The
 * parent may have died in the meantime.
 */
static bool death_signal_fails(pid_t supervisor, struct privileges_failure *failure)
{
	if (failed(failure, PRIVILEGES_PDEATHSIG,
		   CALL(prctl, PR_SET_PDEATHSIG, SIGKILL)))
		return true;
	if (getppid() != supervisor)
		_exit(0);
	return false;
}

int privileges_open_domain(struct privileges *privileges)
{
	int domain;

	if (!privileges->apart)
		return 0;
	domain = domain_open(domain_version(), privileges->options.allow_new_privs);
	if (domain < 0)
		return domain;
	privileges->domain = domain;
	return 0;
}

int privileges_enclose(const struct privileges *privileges,
		       struct privileges_failure *failure)
{
	if (privileges->domain < 0)
		return 0;
	if ((!privileges->options.allow_new_privs && new_privileges_stay(failure)) ||
	    failed(failure, PRIVILEGES_LANDLOCK, domain_enter(privileges->domain)))
		return -1;
	return 0;
}

int privileges_take(const struct privileges *privileges, pid_t supervisor,
		    struct privileges_failure *failure)
{
	const struct prong_privileges *options = &privileges->options;

	if (limits_fail(privileges, failure) ||
	    (!privileges->keeps_root && root_fails(options, failure)) ||
	    identity_fails(privileges, failure) ||
	    (!privileges->keeps_ids && death_signal_fails(supervisor, failure)) ||
	    (!options->allow_new_privs && privileges->domain < 0 &&
	     new_privileges_stay(failure)))
		return -1;
	return 0;
}

void privileges_settle(struct privileges *privileges)
{
	privileges->has_capabilities = !has_no_capabilities();
	privileges->is_settled = true;
}

int privileges_take_once(struct privileges *privileges,
			 struct privileges_failure *failure)
{
	if ((!privileges->keeps_root && root_fails(&privileges->options, failure)) ||
	    (!privileges->keeps_ids && identity_fails(privileges, failure)))
		return -1;
	privileges->keeps_root = privileges->keeps_ids = true;
	return 0;
}

int privileges_explain(const struct privileges *privileges,
		       const struct privileges_failure *failure, struct why *why)
{
	const char *what = "";
	const char *hint = "";

	if (failure->step == PRIVILEGES_CHROOT || failure->step == PRIVILEGES_CHDIR)
		what = privileges->options.root;
	if (failure->error == EINVAL && (failure->step == PRIVILEGES_SETRESGID ||
					 failure->step == PRIVILEGES_SETRESUID))
		hint = " (this user namespace has no such id)";
	if (failure->error == EPERM)
		hint = getuid() == 0 ? " (a capability is missing)"
				     : " (this needs root or the capability for it)";
	return why_fail(why, why_kernels(-failure->error),
			"cannot change privileges: %s%s%.100s: %s%s",
			privileges_step_name((int)failure->step),
			*what != '\0' ? " " : "", what, strerror(failure->error), hint);
}

_Noreturn void privileges_leave(struct score_row *row,
				const struct privileges_failure *failure)
{
	atomic_store(&row->error, failure->error);
	atomic_store(&row->failed_step, failure->step);
	call_exit(reason_exit_status(REASON_REFUSED_PRIVILEGES));
}
