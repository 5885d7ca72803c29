#include "departure.h"

#include "report.h"

void departure(void *owner, const siginfo_t *info, int64_t now_us)
{
	struct departures *departures = owner;
	const struct serving *serving = &departures->dispatch->serving;
	struct process *process = process_find(departures->processes, info->si_pid);
	struct ending ending;
	unsigned outcome;

	if (process == NULL) {
		/* An orphan's, or a child that the host program had. */
		if (serving->model->stranger_ended != NULL)
			serving->model->stranger_ended(serving->self);
		return;
	}
	outcome = serving->model->ended(serving->self, process, info, now_us, &ending);
	if ((outcome & OUTCOME_SPARE_SERVED) != 0)
		dispatch_spare_served(departures->dispatch);
	if ((outcome & OUTCOME_SESSION) != 0)
		sessions_end(departures->sessions, &process->session.client, &ending,
			     now_us);
	if ((outcome & OUTCOME_SPARE_DIED) != 0)
		dispatch_spare_died(departures->dispatch, process, info, now_us);
	report_reap(departures->report, info);
	process_free(departures->processes, process);
}
