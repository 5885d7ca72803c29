#include "deadline.h"

#include "base/clock.h"
#include "report.h"

#define TERM_TO_KILL_US 500000
#define AGAIN_US        250000  /* from one SIGKILL to the next */
#define UNKILLABLE_US   1000000 /* this long after the first, the process is logged */

static int64_t session_deadline(const struct deadlines *deadlines)
{
	const struct process *oldest = deadlines->processes->in[PROCESS_BUSY].first;

	if (deadlines->session_timeout_us == 0 || oldest == NULL)
		return CLOCK_NEVER;
	return oldest->session.client.accepted_at_us + deadlines->session_timeout_us +
	       deadlines->allowance_us;
}

static int64_t hangup_deadline(const struct deadlines *deadlines)
{
	const struct process *oldest = deadlines->processes->in[PROCESS_HUNG_UP].first;

	return oldest == NULL ? CLOCK_NEVER : oldest->since_us + deadlines->hangup_us;
}

static int64_t ending_deadline(const struct deadlines *deadlines)
{
	const struct process *oldest = deadlines->processes->in[PROCESS_ENDING].first;

	return oldest == NULL ? CLOCK_NEVER : oldest->since_us + TERM_TO_KILL_US;
}

static int64_t killed_deadline(const struct deadlines *deadlines)
{
	const struct process *oldest = deadlines->processes->in[PROCESS_KILLED].first;
	int64_t due_us;

	if (oldest == NULL)
		return CLOCK_NEVER;
	due_us = oldest->since_us + AGAIN_US;
	return due_us > deadlines->again_us ? due_us : deadlines->again_us;
}

static void kill_again(const struct deadlines *deadlines, struct process *process,
		       int64_t heard_us)
{
	int err = process_kill_again(deadlines->processes, process);

	if (process->unkillable ||
	    (err == 0 && heard_us - process->since_us < UNKILLABLE_US))
		return;
	process->unkillable = true;
	report_unkillable(deadlines->report, process->pid, -err);
}

/*
 * Repeated, since a process may change its user, or return from a call in which it is
 * stuck.
 */
static void repeat_kills(struct deadlines *deadlines, int64_t heard_us)
{
	struct process *process = deadlines->processes->in[PROCESS_KILLED].first;

	deadlines->again_us = heard_us + AGAIN_US;
	for (; process != NULL && process->since_us + AGAIN_US <= heard_us;
	     process = process->next)
		kill_again(deadlines, process, heard_us);
}

void deadlines_enforce(struct deadlines *deadlines, int64_t heard_us)
{
	struct processes *processes = deadlines->processes;

	while (session_deadline(deadlines) <= heard_us)
		process_terminate(processes, processes->in[PROCESS_BUSY].first,
				  REASON_DEADLINE, heard_us);
	while (hangup_deadline(deadlines) <= heard_us)
		process_terminate(processes, processes->in[PROCESS_HUNG_UP].first,
				  REASON_NONE, heard_us);
	while (ending_deadline(deadlines) <= heard_us)
		process_kill(processes, processes->in[PROCESS_ENDING].first,
			     REASON_NONE, heard_us);
	if (killed_deadline(deadlines) <= heard_us)
		repeat_kills(deadlines, heard_us);
}

int64_t deadlines_next(const struct deadlines *deadlines)
{
	const int64_t all[] = {
		session_deadline(deadlines),
		hangup_deadline(deadlines),
		ending_deadline(deadlines),
		killed_deadline(deadlines),
	};

	return clock_first(all, sizeof(all) / sizeof(all[0]));
}
