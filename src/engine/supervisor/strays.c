#include "strays.h"

#include <sys/syscall.h>

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/gate.h"
#include "engine/program/children.h"
#include "process.h"
#include "report.h"

#define PAUSE_US      1000    /* after the end of a stray a look follows at once */
#define PAUSE_MOST_US 5000000 /* the pause grows to this if SIGKILL ends nothing */

void strays_open(struct strays *strays, const struct processes *processes)
{
	strays->processes = processes;
	strays->line = children_draw_line();
	strays->sweep_us = CLOCK_NEVER;
	strays->pause_us = PAUSE_US;
}

void strays_expect(struct strays *strays)
{
	if (strays->processes == NULL)
		return;
	strays->sweep_us = 0;
	strays->pause_us = PAUSE_US;
}

struct look {
	const struct strays *strays;
	void (*visit)(void *arg, pid_t pid);
	void *arg;
};

/* Skips programs and monitors, and what was there before the first of them. */
static void visit_stray(void *arg, pid_t pid)
{
	const struct look *look = arg;
	uint64_t began;

	if (process_find(look->strays->processes, pid) != NULL)
		return;
	began = children_began(pid);
	if (began == 0 || began > look->strays->line)
		look->visit(look->arg, pid);
}

static void each_stray(const struct strays *strays, void (*visit)(void *arg, pid_t pid),
		       void *arg)
{
	struct look look = { strays, visit, arg };
	int list = children_open();

	if (list < 0)
		return;
	children_each(list, visit_stray, &look);
	close(list);
}

static void kill_stray(void *arg, pid_t pid)
{
	bool *found = arg;

	*found = true;
	GATE(kill, pid, SIGKILL);
}

void strays_sweep(struct strays *strays, int64_t now_us)
{
	bool found = false;

	if (now_us < strays->sweep_us)
		return;
	each_stray(strays, kill_stray, &found);
	strays->sweep_us = found ? now_us + strays->pause_us : CLOCK_NEVER;
	if (2 * strays->pause_us <= PAUSE_MOST_US)
		strays->pause_us *= 2;
}

bool strays_may_live(const struct strays *strays)
{
	return strays->sweep_us != CLOCK_NEVER;
}

static void report_stray(void *report, pid_t pid)
{
	report_unkillable(report, pid, 0);
}

void strays_report(const struct strays *strays, struct report *report)
{
	if (strays_may_live(strays))
		each_stray(strays, report_stray, report);
}
