#include "departure.h"

#include "ending.h"
#include "report.h"

void departure(void *owner, const siginfo_t *info, int64_t now_us)
{
	struct departures *departures = owner;
	const struct serving *serving = &departures->dispatch->serving;
	struct process *process = process_find(departures->processes, info->si_pid);
	struct ending ending;
	unsigned outcome;

	if (process == NULL) {
		/* It is an orphan, or a child that the host program had. */
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

static void leave(struct departures *departures, struct process *process,
		  int64_t now_us)
{
	struct client *client = &process->session.client;
	struct ending ending;

	if (!process->unkillable)
		report_unkillable(departures->report, process->pid, 0);
	if (client->id == 0)
		return;
	if (client->fd >= 0)
		sessions_let_go(departures->sessions, client->fd, now_us);
	ending_fill(&ending, process->end_cause, process->pid,
		    process_row(departures->processes, process));
	ending.uid = process->uid;
	sessions_end(departures->sessions, client, &ending, now_us);
}

void departures_leave(struct departures *departures, int64_t now_us)
{
	const struct serving *serving = &departures->dispatch->serving;
	const struct process_list *left = &departures->processes->in[PROCESS_KILLED];

	while (left->first != NULL) {
		leave(departures, left->first, now_us);
		process_free(departures->processes, left->first);
	}
	if (serving->model->leave_strays != NULL)
		serving->model->leave_strays(serving->self);
}
