/*
 * A monitor: a process of ours between the supervisor and a program. It ends every
 * descendant that the program leaves, which requires a parent of its own for each
 * session. The program does not notice it: it leads a session of its own as it does
 * without, and a signal to its group does not reach the monitor. The monitor keeps the
 * supervisor's privileges, so that a program of another user cannot signal it. It ends
 * as its program did: with the same exit status, or by the same signal.
 */
#ifndef ENGINE_MONITOR_H
#define ENGINE_MONITOR_H

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

#include "launchpad.h"

/*
 * A monitor passes SIGTERM on to the program and its group. This signal makes it send
 * SIGTERM to the program alone.
 */
#define MONITOR_HANG_UP SIGHUP

/*
 * Checks at the start that monitors can work, if they are asked for. Returns 0, or a
 * negative errno with a sentence in why.
 */
int monitor_check(const struct prong_options *options, struct why *why);

/* Whether these options require a monitor for each program. */
bool monitor_is_needed(const struct program *program);

/*
 * Forks a monitor, which starts the program of pad->launch with pad->environment, and
 * waits until it has made the program's process. Returns the monitor's pid, or a
 * negative errno if either process could not be made; no process is left then.
 */
pid_t monitor_start(struct launchpad *pad);

#endif
