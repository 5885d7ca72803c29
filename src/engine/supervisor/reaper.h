/*
 * Collecting children. One SIGCHLD may stand for hundreds of exits, and waitid(2) for "any
 * child" walks over all of them, also over the ten thousand that live: so the pid that
 * came with SIGCHLD, and the rows that workers mark as they leave, tell where to look
 * first. Neither is relied on: after a SIGCHLD there is always a sweep that finds whatever
 * is left, at once where it costs little.
 */
#ifndef ENGINE_REAPER_H
#define ENGINE_REAPER_H

#include "process.h"
#include "signals.h"

struct reaper {
	struct processes *processes;
	/* Told of each child that has been collected. */
	void (*ended)(void *owner, const siginfo_t *info, int64_t now_us);
	void *owner;

	bool owes_look, owes_sweep;      /* there was a SIGCHLD since the last one */
	int64_t look_at_us, sweep_at_us; /* not before */
	unsigned page; /* of the scoreboard, where to look for marks next */
};

/* Collects the children that have ended, if any may have. Takes what exits names. */
void reaper_collect(struct reaper *reaper, struct exits *exits, int64_t now_us);

/* When it next has to look of its own accord; CLOCK_NEVER: after a SIGCHLD. */
int64_t reaper_deadline(const struct reaper *reaper);

/*
 * Without the loop: collects the children that have ended or, if none has, waits a moment
 * for one. SIGCHLD must be blocked.
 */
void reaper_wait(struct reaper *reaper);

#endif
