/*
 * A monitor: a process of ours between the supervisor and a program, which ends all that
 * the program has left behind. That needs a parent for each session alone. The program
 * does not notice it: it leads a session of its own as it does without, and a signal to
 * its group does not reach the monitor. The monitor has the supervisor's rights, so that a
 * program of another user cannot signal it. It leaves as its program did: with the same
 * exit status, or by the same signal.
 */
#ifndef ENGINE_MONITOR_H
#define ENGINE_MONITOR_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "launchpad.h"

/*
 * A monitor passes SIGTERM on to the program and its group. This one makes it send SIGTERM
 * to the program alone.
 */
#define MONITOR_HANG_UP SIGHUP

/*
 * Checks, at the start, what monitors rest on, if they are asked for. Returns 0, or a
 * negative errno with why filled.
 */
int monitor_check(const struct prong_options *options, struct why *why);

/* Whether programs need a monitor, by what was asked for. */
bool monitor_is_needed(const struct program *program);

/*
 * Forks a monitor, which starts the program of pad->launch with pad->environment, and
 * waits until it has made the program's process. Returns its pid, or a negative errno if
 * there is no process for one of the two; then no process is left.
 */
pid_t monitor_start(struct launchpad *pad);

#endif
