#include "ending.h"

void ending_fill(struct ending *ending, enum reason reason, pid_t pid,
		 const struct score_row *row)
{
	*ending = (struct ending){
		.reason = reason,
		.pid = pid,
		.bytes_in = score_read_clamped(&row->bytes_in),
		.bytes_out = score_read_clamped(&row->bytes_out),
		.forbidden_call =
			(int)((unsigned)atomic_load(&row->forbidden_call) - 1),
	};
}

/*
 * The signal that killed it outweighs what it reported; a writer's SIGPIPE means that
 * the client is gone.
 */
static enum reason of_signal(const struct process *process, int number, bool sandboxed)
{
	if (process->end_cause != REASON_NONE)
		return process->end_cause;
	if (number == SIGSYS && sandboxed)
		return REASON_CRASH_SANDBOX;
	return number == SIGPIPE ? REASON_RESET : REASON_CRASH_SIGNAL;
}

enum reason ending_of_worker(const struct process *process, const struct score_row *row,
			     const siginfo_t *info, bool sandboxed)
{
	enum reason reason = reason_from_exit_status(info->si_status);

	if (info->si_code != CLD_EXITED)
		return of_signal(process, info->si_status, sandboxed);
	/* A handler may exit with such a status of its own accord. */
	if ((reason == REASON_REFUSED_PRIVILEGES &&
	     atomic_load(&row->failed_step) == 0) ||
	    (reason == REASON_CRASH_SANDBOX && !sandboxed))
		return REASON_CRASH_EXIT;
	return reason;
}
