/*
 * The sandbox of workers: what prong.h, enum prong_sandbox, promises.
 *
 * A seccomp filter for each worker would cost 50 to 85 microseconds a process, half a
 * fork. So one filter is set once, in the supervisor, and inherited: a few harmless
 * calls are allowed from anywhere, all others only from the gate (base/gate.h). The
 * supervisor has the gate; a worker does not inherit it or, where its rights need it
 * first, unmaps it. It cannot get it back, since no call that is left to it makes memory
 * executable. What the supervisor's libc calls itself is trapped, and made through the
 * gate by a handler of SIGSYS.
 */
#ifndef ENGINE_SANDBOX_H
#define ENGINE_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "prong.h"
#include "privileges.h"

struct score_row;

/*
 * setsid(2) takes no arguments. With these two in their place, which the kernel does not
 * look at, a worker may call it on its way in; a handler's own call is still its end.
 */
#define SANDBOX_WAY_IN 0x70726f6e

struct sandbox {
	bool on;         /* the filter is set, or is to be */
	bool landlock;   /* with landlock(7) */
	int ruleset;     /* what a worker may do there: nothing; -1: none */
	bool lends_gate; /* workers begin with the gate: rights or fork(3) need it */
};

/*
 * Sets the filter and the handler in this process, for good; once, however often it is
 * called. With *sandbox off it does nothing; where landlock is missing, it clears that.
 * Returns 0, or a negative errno of prctl(2) or seccomp(2) with nothing set but
 * no_new_privs.
 */
int sandbox_install(struct sandbox *sandbox);

/* Whether this process has the filter: nobody may take SIGSYS from its handler then. */
bool sandbox_is_set(void);

/* The supervisor's run is over. The filter stays, and children have the gate again. */
void sandbox_close(struct sandbox *sandbox);

/*
 * In a worker: gives up the gate, so that only what prong.h names is left. What it then
 * tries beyond that ends it, and row tells what it was. Everything but its last
 * descriptors has to be closed afterwards: landlock's is among them until
 * sandbox_confine() has returned.
 * Returns 0, or -1 with *failure filled.
 */
int sandbox_confine(const struct sandbox *sandbox, struct score_row *row,
		    struct privileges_failure *failure);

/* trap_place(), where there is a sandbox. */
void sandbox_place(struct score_row **place);

/*
 * fork(3); with the sandbox, in the thread that called sandbox_install(), and by the short
 * way where that comes to the same (base/fork.h). Returns a pid or a negative errno.
 */
pid_t sandbox_fork(const struct sandbox *sandbox);

/* "seccomp+landlock", "seccomp" or "off". */
const char *sandbox_name(const struct sandbox *sandbox);

#endif
