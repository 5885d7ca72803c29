#include "stop.h"

#include "admission.h"
#include "base/clock.h"
#include "dispatch.h"
#include "linger.h"
#include "report.h"

#define NOTICE_US 500000  /* from SIGTERM to SIGKILL; 1/10 of a short grace */
#define LEAVE_US  1500000 /* from SIGKILL to the end */

void stop_open(struct stop *stop)
{
	stop->requested = false;
	stop->term_at_us = stop->kill_at_us = stop->leave_at_us = CLOCK_NEVER;
}

void stop_begin(struct stop *stop, int signal, int64_t sessions, int64_t grace_us,
		int64_t now_us)
{
	int64_t notice_us = grace_us / 10 < NOTICE_US ? grace_us / 10 : NOTICE_US;

	stop->requested = true;
	stop->kill_at_us = now_us + grace_us;
	stop->term_at_us = stop->kill_at_us - notice_us;
	report_stopping(stop->report, signal, sessions, grace_us);
	admission_drain(stop->admission, now_us);
}

void stop_at_once(struct stop *stop, int64_t now_us)
{
	stop->requested = true;
	stop->term_at_us = stop->kill_at_us = CLOCK_NEVER;
	if (stop->leave_at_us == CLOCK_NEVER)
		stop->leave_at_us = now_us + LEAVE_US;
	admission_close(stop->admission, now_us);
	linger_finish(stop->lingering);
	processes_kill(stop->processes, REASON_STOPPED, now_us);
}

static void terminate_all(struct stop *stop, enum process_state state, int64_t now_us)
{
	const struct process_list *list = &stop->processes->in[state];

	while (list->first != NULL)
		process_terminate(stop->processes, list->first, REASON_STOPPED, now_us);
}

void stop_enforce(struct stop *stop, int64_t sessions, int64_t heard_us)
{
	if (stop->term_at_us <= heard_us) {
		stop->term_at_us = CLOCK_NEVER;
		report_grace_expired(stop->report, sessions);
		terminate_all(stop, PROCESS_BUSY, heard_us);
		terminate_all(stop, PROCESS_ACCEPTING, heard_us);
		terminate_all(stop, PROCESS_HUNG_UP, heard_us);
	}
	if (stop->kill_at_us <= heard_us)
		stop_at_once(stop, heard_us);
}

bool stop_is_complete(const struct stop *stop)
{
	return stop->requested && stop->processes->used == 0 &&
	       stop->lingering->count == 0 && stop->lingering->pending == 0 &&
	       admission_is_over(stop->admission) &&
	       !dispatch_has_strays(stop->admission->dispatch);
}

int64_t stop_deadline(const struct stop *stop)
{
	const int64_t all[] = { stop->term_at_us, stop->kill_at_us, stop->leave_at_us };

	if (!stop->requested)
		return CLOCK_NEVER;
	/* Closing a listener may have completed it: no event tells of that. */
	if (stop_is_complete(stop))
		return 0;
	return clock_first(all, sizeof(all) / sizeof(all[0]));
}
