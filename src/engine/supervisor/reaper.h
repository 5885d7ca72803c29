/*
 * Reaps children. One SIGCHLD may stand for hundreds of exits, and waitid(2) for "any
 * child" walks over all children, including ten thousand that live. So the pid that
 * came with SIGCHLD, and the rows that workers mark when they leave, tell where to look
 * first. Neither is relied on: after a SIGCHLD there is always a sweep, which finds all
 * others; it comes at once if it is cheap.
 */
#ifndef ENGINE_REAPER_H
#define ENGINE_REAPER_H

#include "process.h"
#include "signals.h"

struct reaper {
	struct processes *processes;
	/* Called for each child that has been reaped. */
	void (*ended)(void *owner, const siginfo_t *info, int64_t now_us);
	void *owner;

	bool owes_look, owes_sweep;      /* a SIGCHLD came since the last one */
	int64_t look_at_us, sweep_at_us; /* not before this time */
	unsigned page; /* page of the scoreboard in which to look for marks next */
};

/* Reaps the children that have ended, if any may have, and clears exits. */
void reaper_collect(struct reaper *reaper, struct exits *exits, int64_t now_us);

/* When it must look without an event; CLOCK_NEVER: after a SIGCHLD. */
int64_t reaper_deadline(const struct reaper *reaper);

/*
 * Without the loop: reaps the children that have ended or, if no child has, waits a
 * moment for one. SIGCHLD must be blocked.
 */
void reaper_wait(struct reaper *reaper);

#endif
