#include "reaper.h"

#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/gate.h"

#define SWEEP_PAUSE_US      1000 /* from a sweep to the next, at least */
#define SWEEP_PAUSE_EACH_US 5  /* and this for each child: a sweep costs a 50th of it */
#define LOOK_PAUSE_EACH_US  2  /* between looks for marks, for each page */
#define FALSE_MARKS_AT_ONCE 64 /* by workers that have not ended, in one look */

/* Returns whether there was an exit of that child, or of any (P_ALL), to collect. */
static bool collect(struct reaper *reaper, idtype_t which, pid_t pid, int64_t now_us)
{
	siginfo_t info;

	/* waitid(2) leaves it as it is where no child has ended. */
	info.si_pid = 0;
	/* That there is no child is no news, and errno on a page that a fork has shared. */
	if (GATE(waitid, which, pid, &info, WEXITED | WNOHANG) < 0 || info.si_pid == 0)
		return false;
	reaper->ended(reaper->owner, &info, now_us);
	return true;
}

/* Those that SIGCHLD named. */
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
 * Those that marked their row before they left. A mark says no more than where to look:
 * the pid is the table's. False ones are looked at in turn, a few at a time.
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
 * Those of which nothing has told. To ask for any child is one walk over all of them for
 * each that has ended; so where one was missed, and there may be thousands, each of ours
 * is asked for by its pid, which is no walk.
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

/* Where there are very many rows, a look at all their marks is not worth one exit. */
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
