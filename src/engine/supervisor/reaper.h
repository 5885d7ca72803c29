/*
 * Collecting children, and what each end means. One SIGCHLD may stand for hundreds of
 * exits, and waitid(2) for "any child" walks over all of them, also over the ten
 * thousand that live: so the pid that came with SIGCHLD, and the rows that workers mark
 * as they leave, tell where to look first. Neither is relied on: after a SIGCHLD there
 * is always a sweep that finds whoever is left, at once where it costs little.
 */
#ifndef ENGINE_REAPER_H
#define ENGINE_REAPER_H

#include <signal.h>
#include <stdint.h>

#include "engine/record/reason.h"

struct prong;
struct process;

/* Collects the children that have ended, if any may have. */
void reaper_collect(struct prong *server);

/* When it next has to look of its own accord; CLOCK_NEVER: after a SIGCHLD. */
int64_t reaper_deadline(const struct prong *server);

/* For a supervisor that cannot go on: nothing is left behind, and all is counted. */
void reaper_end_all(struct prong *server);

/*
 * The connection that slot served has ended: counts it, says so. info is NULL where its
 * process goes on.
 */
void connection_ended(struct prong *server, struct process *process, enum reason reason,
		      const siginfo_t *info, int64_t now);

#endif
