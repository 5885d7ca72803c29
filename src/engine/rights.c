#include "rights.h"

#include <sys/prctl.h>
#include <sys/syscall.h>

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/gate.h"
#include "reason.h"
#include "scoreboard.h"

/*
 * 32-bit systems have two sets of calls, of which the older takes 16-bit ids. The calls
 * themselves are made, and not libc's functions, since those would pass them on to
 * threads, and since the sandbox wants them through the gate: see rights_need_gate().
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

static const char *const step_names[RIGHTS_STEPS] = {
	[RIGHTS_NONE] = "none",
	[RIGHTS_SETRLIMIT] = "setrlimit",
	[RIGHTS_CHROOT] = "chroot",
	[RIGHTS_CHDIR] = "chdir",
	[RIGHTS_SETGROUPS] = "setgroups",
	[RIGHTS_SETRESGID] = "setresgid",
	[RIGHTS_SETRESUID] = "setresuid",
	[RIGHTS_CAPSET] = "capset",
	[RIGHTS_SETUID] = "setuid",
	[RIGHTS_PDEATHSIG] = "prctl(PR_SET_PDEATHSIG)",
	[RIGHTS_NO_NEW_PRIVS] = "prctl(PR_SET_NO_NEW_PRIVS)",
	[RIGHTS_LANDLOCK] = "landlock_restrict_self",
	[RIGHTS_GATE] = "munmap",
	[RIGHTS_RECEIVE] = "recvmsg",
	[RIGHTS_ACCEPT] = "accept",
};

const char *rights_step_name(int step)
{
	return step >= 0 && step < RIGHTS_STEPS ? step_names[step] : "?";
}

static void *copy(const void *from, size_t size)
{
	void *to = malloc(size == 0 ? 1 : size);

	if (to != NULL && size > 0)
		memcpy(to, from, size);
	return to;
}

int rights_open(struct rights **out, const struct prong_rights *asked, bool sandbox)
{
	static const struct prong_rights none;
	struct rights *rights = calloc(1, sizeof(*rights));

	if (rights == NULL)
		return -ENOMEM;
	if (asked == NULL)
		asked = &none;
	rights->asked = *asked;
	rights->asked.groups =
		copy(asked->groups, asked->group_count * sizeof(asked->groups[0]));
	rights->asked.limits =
		copy(asked->limits, asked->limit_count * sizeof(asked->limits[0]));
	rights->asked.root = NULL;
	if (asked->root != NULL)
		rights->asked.root = strdup(asked->root);
	rights->keeps_ids = !asked->change_ids;
	rights->keeps_root = asked->root == NULL;
	rights->keeps_capabilities = !sandbox;
	if (rights->asked.groups == NULL || rights->asked.limits == NULL ||
	    (asked->root != NULL && rights->asked.root == NULL)) {
		rights_close(rights);
		return -ENOMEM;
	}
	*out = rights;
	return 0;
}

void rights_close(struct rights *rights)
{
	if (rights == NULL)
		return;
	free((void *)rights->asked.groups);
	free((void *)rights->asked.limits);
	free((void *)rights->asked.root);
	free(rights);
}

bool rights_need_gate(const struct rights *rights)
{
	return rights->asked.limit_count > 0 || !rights->keeps_root ||
	       !rights->keeps_ids;
}

bool rights_change_user(const struct rights *rights)
{
	return !rights->keeps_ids;
}

/* Notes the step if its call failed; returns whether it did. */
static bool failed(struct rights_failure *failure, enum rights_step step, long result)
{
	if (result >= 0)
		return false;
	failure->step = step;
	failure->error = (int)-result;
	return true;
}

static bool new_privileges_stay(struct rights_failure *failure)
{
	return failed(failure, RIGHTS_NO_NEW_PRIVS,
		      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ? -errno : 0);
}

static bool limits_fail(const struct prong_rights *asked,
			struct rights_failure *failure)
{
	for (size_t i = 0; i < asked->limit_count; i++) {
		const struct prong_rlimit *limit = &asked->limits[i];
		struct rlimit64 value = { limit->soft, limit->hard };

		if (failed(failure, RIGHTS_SETRLIMIT,
			   GATE(prlimit64, 0, limit->resource, &value, NULL)))
			return true;
	}
	return false;
}

static bool root_fails(const struct prong_rights *asked, struct rights_failure *failure)
{
	return failed(failure, RIGHTS_CHROOT, GATE(chroot, asked->root)) ||
	       failed(failure, RIGHTS_CHDIR, GATE(chdir, "/"));
}

static bool has_no_capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];

	if (syscall(SYS_capget, &header, now) < 0)
		return false;
	for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++)
		if ((now[i].effective | now[i].permitted | now[i].inheritable) != 0)
			return false;
	return true;
}

/* Who began without root may have had capabilities all the same: none is left. */
static bool capabilities_fail(struct rights_failure *failure)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { 0 };

	return failed(failure, RIGHTS_CAPSET,
		      syscall(SYS_capset, &header, none) < 0 ? -errno : 0);
}

/* A way back means that the kernel has done something else than we believe. */
static bool way_back_exists(uid_t uid, struct rights_failure *failure)
{
	if (uid == 0 || GATE(prong_setuid, 0) < 0)
		return false;
	failure->step = RIGHTS_SETUID;
	failure->error = EPERM;
	return true;
}

/* Groups while they may still be set; the group while the user is still root. */
static bool ids_fail(const struct prong_rights *asked, struct rights_failure *failure)
{
	return failed(failure, RIGHTS_SETGROUPS,
		      GATE(prong_setgroups, asked->group_count, asked->groups)) ||
	       failed(failure, RIGHTS_SETRESGID,
		      GATE(prong_setresgid, asked->gid, asked->gid, asked->gid)) ||
	       failed(failure, RIGHTS_SETRESUID,
		      GATE(prong_setresuid, asked->uid, asked->uid, asked->uid));
}

static bool identity_fails(const struct rights *rights, struct rights_failure *failure)
{
	const struct prong_rights *asked = &rights->asked;
	bool changes = !rights->keeps_ids;

	/* A service manager may forbid the call (systemd, ~@privileged) to who has none. */
	if (!changes)
		return !rights->keeps_capabilities && !has_no_capabilities() &&
		       capabilities_fail(failure);
	return ids_fail(asked, failure) ||
	       ((asked->uid != 0 || !rights->keeps_capabilities) &&
		capabilities_fail(failure)) ||
	       way_back_exists(asked->uid, failure);
}

/*
 * Changing the user clears the signal that the parent's death sends (prctl(2)). The
 * parent may have died in between.
 */
static bool death_signal_fails(pid_t supervisor, struct rights_failure *failure)
{
	if (failed(failure, RIGHTS_PDEATHSIG,
		   prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ? -errno : 0))
		return true;
	if (getppid() != supervisor)
		_exit(0);
	return false;
}

int rights_take(const struct rights *rights, pid_t supervisor,
		struct rights_failure *failure)
{
	const struct prong_rights *asked = &rights->asked;

	if (limits_fail(asked, failure) ||
	    (!rights->keeps_root && root_fails(asked, failure)) ||
	    identity_fails(rights, failure) ||
	    (!rights->keeps_ids && death_signal_fails(supervisor, failure)) ||
	    (!asked->allow_new_privs && new_privileges_stay(failure)))
		return -1;
	return 0;
}

int rights_take_once(struct rights *rights, struct rights_failure *failure)
{
	if ((!rights->keeps_root && root_fails(&rights->asked, failure)) ||
	    (!rights->keeps_ids && identity_fails(rights, failure)))
		return -1;
	rights->keeps_root = rights->keeps_ids = true;
	return 0;
}

int rights_explain(const struct rights *rights, const struct rights_failure *failure,
		   char why[RIGHTS_WHY_MAX])
{
	const char *what = "";
	const char *hint = "";

	if (failure->step == RIGHTS_CHROOT || failure->step == RIGHTS_CHDIR)
		what = rights->asked.root;
	if (failure->error == EPERM)
		hint = getuid() == 0 ? " (a capability is missing)"
				     : " (this needs root, or its capability)";
	snprintf(why, RIGHTS_WHY_MAX, "cannot change rights: %s%s%.100s: %s%s",
		 rights_step_name((int)failure->step), *what != '\0' ? " " : "", what,
		 strerror(failure->error), hint);
	return -failure->error;
}

_Noreturn void rights_leave(struct score_row *row, const struct rights_failure *failure)
{
	atomic_store(&row->error, failure->error);
	atomic_store(&row->failed_step, failure->step);
	_exit(reason_exit_status(REASON_REFUSED_RIGHTS));
}
