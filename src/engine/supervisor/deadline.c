#include "deadline.h"

#include "base/clock.h"

#define TERM_TO_KILL_US 500000

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
}

int64_t deadlines_next(const struct deadlines *deadlines)
{
	const int64_t all[] = {
		session_deadline(deadlines),
		hangup_deadline(deadlines),
		ending_deadline(deadlines),
	};

	return clock_first(all, sizeof(all) / sizeof(all[0]));
}
