/*
 * An attendant: a process of ours between the supervisor and a program, for what
 * takes time (looking up names) and what needs a parent for each session alone
 * (ending all that the program has left behind). It keeps all signals blocked, so
 * that only SIGKILL, or the end of its program, ends it, and it leaves as its program
 * did: with the same exit status, or by the same signal. It has no more rights than its
 * program, so names are looked up inside the root directory that it is given.
 */
#ifndef ENGINE_MONITOR_H
#define ENGINE_MONITOR_H

#include <stdbool.h>
#include <sys/types.h>

#include "engine/record/client.h"
#include "program.h"
#include "engine/confine/privileges.h"
#include "engine/record/scoreboard.h"

struct monitor {
	const struct program *program;
	const struct privileges *privileges;
	struct client client;
	unsigned connections; /* that its source has open */
	struct score_row *row;
	pid_t supervisor;
	int null; /* /dev/null */
};

/* Whether programs need an attendant, by what was asked for. */
bool monitor_is_needed(const struct program *program);

/* Forks one, which starts the program. Returns its pid or a negative errno. */
pid_t monitor_start(const struct monitor *monitor);

#endif
