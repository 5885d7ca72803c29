/*
 * The sandbox of workers: does what prong.h, enum prong_sandbox, promises.
 *
 * A seccomp filter for each worker would cost 50 to 85 microseconds a process, half a
 * fork. So one filter is set once, in the supervisor, and inherited. It allows a few
 * harmless calls from anywhere, and all others only from the gate (base/gate.h). The
 * supervisor has the gate. A worker does not inherit it, or, if it first needs the gate
 * to change its privileges, unmaps it. A worker cannot get it back, since no call that
 * is left to it makes memory executable. Calls that the supervisor's libc makes itself
 * are trapped, and a handler of SIGSYS makes them through the gate.
 */
#ifndef ENGINE_SANDBOX_H
#define ENGINE_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "prong.h"
#include "privileges.h"

struct score_row;

/*
 * setsid(2) takes no arguments, and the kernel ignores what is passed. With these two
 * numbers as arguments a worker may call it on its way into the sandbox; a call by a
 * handler still ends the worker.
 */
#define SANDBOX_WAY_IN 0x70726f6e

struct sandbox {
	bool on;         /* the filter is set, or will be */
	bool landlock;   /* landlock(7) is used too */
	int ruleset;     /* allows a worker nothing there; -1: not open */
	bool lends_gate; /* workers begin with the gate, for privileges or fork(3) */
};

/*
 * Sets the filter and the handler in this process, for good, and only once, however
 * often it is called. If sandbox->on is false it does nothing; if landlock is missing,
 * it clears sandbox->landlock. Returns 0, or a negative errno of prctl(2) or
 * seccomp(2); then only no_new_privs is set.
 */
int sandbox_install(struct sandbox *sandbox);

/* Whether this process has the filter; if so, SIGSYS must keep its handler. */
bool sandbox_is_set(void);

/* The supervisor's run is over. The filter stays, and children have the gate again. */
void sandbox_close(struct sandbox *sandbox);

/*
 * In a worker: gives up the gate, so that only what prong.h lists remains allowed.
 * Anything else that it tries ends it, and row says what it was. Close all descriptors
 * except its last ones only after this: landlock's is needed until sandbox_confine()
 * has returned. Returns 0, or -1 with *failure filled.
 */
int sandbox_confine(const struct sandbox *sandbox, struct score_row *row,
		    struct privileges_failure *failure);

/* Calls trap_place() if there is a sandbox. */
void sandbox_place(struct score_row **place);

/*
 * Does what fork(3) does. With the sandbox it must be called in the thread that called
 * sandbox_install(); it takes the short way if that has the same effect (base/fork.h).
 * Returns a pid or a negative errno.
 */
pid_t sandbox_fork(const struct sandbox *sandbox);

/* "seccomp+landlock", "seccomp" or "off". */
const char *sandbox_name(const struct sandbox *sandbox);

#endif
