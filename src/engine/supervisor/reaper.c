#include "reaper.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/gate.h"

#define SWEEP_PAUSE_US      1000 /* at least, from one sweep to the next */
#define SWEEP_PAUSE_EACH_US 5    /* and this per child: sweeps take 1/50 of the time */
#define LOOK_PAUSE_EACH_US  2    /* between looks for marks, for each page */
#define FALSE_MARKS_AT_ONCE 64   /* of workers that have not ended, in one look */

/* Returns whether that child, or any (P_ALL), had ended and was reaped. */
static bool collect(struct reaper *reaper, idtype_t which, pid_t pid, int64_t now_us)
{
	siginfo_t info;

	/* waitid(2) leaves si_pid as it is if no child has ended. */
	info.si_pid = 0;
	/*
	 * Through the gate, since an error would set errno, on a page that a fork has
	 * shared.
	 */
	if (GATE(waitid, which, pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return false;
	reaper->ended(reaper->owner, &info, now_us);
	return true;
}

/* Reaps the children that SIGCHLD named. */
static void collect_named(struct reaper *reaper, struct exits *exits, int64_t now_us)
{
	for (unsigned i = 0; i < exits->count; i++)
		collect(reaper, P_PID, exits->pids[i], now_us);
	exits->count = 0;
}

/* Returns whether the mark on that row is false: its process has not ended. */
static bool follow_mark(struct reaper *reaper, unsigned index, int64_t now_us)
{
	const struct process *process = &reaper->processes->at[index];

	return index < reaper->processes->touched && process->pid > 0 &&
	       !collect(reaper, P_PID, process->pid, now_us);
}

/*
 * Reaps the workers that marked their row before they left. A mark only says where to
 * look; the pid comes from the table. False marks are checked in turn, a few at a time.
 */
static void collect_marked(struct reaper *reaper, int64_t now_us)
{
	const struct processes *processes = reaper->processes;
	unsigned pages = scoreboard_pages(processes->touched);
	unsigned in_vain = 0;

	for (unsigned i = 0; i < pages && in_vain < FALSE_MARKS_AT_ONCE; i++) {
		unsigned page = reaper->page++ % pages;
		uint64_t marks = score_read(&processes->board.pages[page].leaving);

		for (; marks != 0; marks &= marks - 1) {
			unsigned row = (unsigned)__builtin_ctzll(marks);

			if (row < SCORE_ROWS &&
			    follow_mark(reaper, page * SCORE_ROWS + row, now_us))
				in_vain++;
		}
	}
}

/*
 * Reaps children of which neither SIGCHLD nor a mark has told. waitid(2) for any child
 * walks over all of them once for each that has ended. So if one was missed, and there
 * may be thousands, each is asked for by its pid, which needs no walk.
 */
static void sweep(struct reaper *reaper, int64_t now_us)
{
	const struct processes *processes = reaper->processes;

	if (!collect(reaper, P_ALL, 0, now_us))
		return;
	for (unsigned i = 0; i < processes->touched; i++)
		if (processes->at[i].pid > 0)
			collect(reaper, P_PID, processes->at[i].pid, now_us);
	while (collect(reaper, P_ALL, 0, now_us))
		;
}

/* With very many rows, looking at all marks costs more than one exit is worth. */
static void look_for_marks(struct reaper *reaper, int64_t now_us)
{
	if (now_us < reaper->look_at_us)
		return;
	collect_marked(reaper, now_us);
	reaper->owes_look = false;
	reaper->look_at_us =
		now_us +
		LOOK_PAUSE_EACH_US * scoreboard_pages(reaper->processes->touched);
}

static void look_for_all(struct reaper *reaper, int64_t now_us)
{
	int64_t pause_us = SWEEP_PAUSE_EACH_US * (int64_t)reaper->processes->used;

	if (now_us < reaper->sweep_at_us)
		return;
	if (pause_us < SWEEP_PAUSE_US)
		pause_us = SWEEP_PAUSE_US;
	sweep(reaper, now_us);
	reaper->owes_sweep = reaper->owes_look = false;
	reaper->sweep_at_us = now_us + pause_us;
}

void reaper_collect(struct reaper *reaper, struct exits *exits, int64_t now_us)
{
	if (exits->any) {
		exits->any = false;
		reaper->owes_look = reaper->owes_sweep = true;
		collect_named(reaper, exits, now_us);
	}
	if (!reaper->owes_sweep)
		return;
	if (reaper->owes_look)
		look_for_marks(reaper, now_us);
	look_for_all(reaper, now_us);
}

int64_t reaper_deadline(const struct reaper *reaper)
{
	if (!reaper->owes_sweep)
		return CLOCK_NEVER;
	return reaper->owes_look && reaper->look_at_us < reaper->sweep_at_us
		       ? reaper->look_at_us
		       : reaper->sweep_at_us;
}

void reaper_wait(struct reaper *reaper)
{
	static const struct timespec moment = { .tv_nsec = 10 * 1000 * 1000 };
	sigset_t child;

	if (collect(reaper, P_ALL, 0, clock_now_us()))
		return;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigtimedwait(&child, NULL, &moment);
}
