#include "dispatch.h"

#include <errno.h>

#include "base/clock.h"
#include "report.h"

#define SPARES_AT_ONCE  2        /* started before the loop looks for clients again */
#define SPARES_DEFER    32       /* rounds of the loop in which clients go first */
#define REFILL_PAUSE_US 1500     /* time without a client dispatched */
#define SURPLUS_US      10000000 /* how long a process over the wanted number is kept */
#define STARTING_US     10000000 /* for a spare to report that it waits */

void dispatch_open(struct dispatch *dispatch, unsigned spare)
{
	dispatch->fork = dispatch->spares = (struct backoff){ 0 };
	dispatch->spare = spare;
	dispatch->deferred = 0;
	dispatch->refill_at_us = 0;
	dispatch->draining = dispatch->finished = false;
}

static int fork_failed(struct dispatch *dispatch, int err, int64_t now_us)
{
	backoff_failed(&dispatch->fork, now_us);
	report_fork_failed(dispatch->report, -err, dispatch->processes->used, now_us);
	return err;
}

static void begin(struct dispatch *dispatch, struct process *process,
		  const struct client *client, int64_t now_us)
{
	process->session.client = *client;
	report_serve(dispatch->report, client, process->pid, process->uid);
	dispatch->serving.model->begin(dispatch->serving.self, process, now_us);
	dispatch->refill_at_us = now_us + REFILL_PAUSE_US;
}

/*
 * Starts a process in a slot of its own: for client, or as a spare if client is NULL.
 */
static int start(struct dispatch *dispatch, struct client *client, int64_t now_us)
{
	const struct serving *serving = &dispatch->serving;
	struct processes *processes = dispatch->processes;
	struct process *process = process_take(processes);
	pid_t pid;

	if (process == NULL)
		return -EAGAIN;
	pid = serving->model->start(serving->self, process, client);
	if (pid < 0) {
		process_free(processes, process);
		return fork_failed(dispatch, (int)pid, now_us);
	}
	backoff_succeeded(&dispatch->fork);
	process_occupy(processes, process, pid,
		       client != NULL ? PROCESS_BUSY : serving->model->spare_state,
		       now_us);
	if (client != NULL)
		begin(dispatch, process, client, now_us);
	return 0;
}

static void stop_spare(const struct dispatch *dispatch, struct process *process,
		       int64_t now_us)
{
	process_drop_channel(dispatch->processes, process);
	process_set_state(dispatch->processes, process, PROCESS_ENDING, now_us);
}

/* Hands client to the newest idle process that is alive; -ENOENT if there is none. */
static int hand_to_idle(struct dispatch *dispatch, const struct client *client,
			int64_t now_us)
{
	const struct serving *serving = &dispatch->serving;
	struct processes *processes = dispatch->processes;
	struct process *process;

	while ((process = processes->in[PROCESS_IDLE].last) != NULL) {
		int err;

		score_begin(process_row(processes, process));
		err = serving->model->hand_over(serving->self, process, client);
		if (err == 0) {
			process_set_state(processes, process, PROCESS_BUSY, now_us);
			backoff_succeeded(&dispatch->spares);
			begin(dispatch, process, client, now_us);
			return 0;
		}
		if (err == -EAGAIN)
			/*
			 * It has reported that it is free without taking what it was
			 * given.
			 */
			process_kill(processes, process, REASON_CRASH_SIGNAL, now_us);
		else if (err == -EPIPE || err == -ECONNRESET)
			process_lost(processes, process, now_us);
		else if (err == -ESTALE)
			stop_spare(dispatch, process, now_us);
		else
			/*
			 * Not the process's fault: no memory, or ETOOMANYREFS, unix(7).
			 */
			return fork_failed(dispatch, err, now_us);
	}
	return -ENOENT;
}

int dispatch_client(struct dispatch *dispatch, struct client *client, int64_t now_us)
{
	int err = hand_to_idle(dispatch, client, now_us);

	if (err != -ENOENT)
		return err;
	if (backoff_waits(&dispatch->fork, now_us))
		return -EAGAIN;
	return start(dispatch, client, now_us);
}

bool dispatch_has_room(const struct dispatch *dispatch)
{
	return dispatch->processes->in[PROCESS_IDLE].count > 0 ||
	       !processes_are_all_taken(dispatch->processes);
}

bool dispatch_expects_room(const struct dispatch *dispatch)
{
	return dispatch->processes->in[PROCESS_STARTING].count > 0;
}

bool dispatch_is_full(const struct dispatch *dispatch)
{
	const struct serving *serving = &dispatch->serving;

	if (serving->model->is_full != NULL)
		return serving->model->is_full(serving->self);
	return !dispatch_has_room(dispatch) && !dispatch_expects_room(dispatch);
}

/* Spares, and workers that accept for themselves. */
static unsigned count_kept(const struct processes *processes)
{
	return processes->in[PROCESS_STARTING].count +
	       processes->in[PROCESS_IDLE].count +
	       processes->in[PROCESS_ACCEPTING].count;
}

static bool spares_are_missing(const struct dispatch *dispatch)
{
	const struct serving *serving = &dispatch->serving;
	const struct processes *processes = dispatch->processes;

	return !dispatch->draining && !processes_are_all_taken(processes) &&
	       count_kept(processes) < serving->model->wanted(serving->self);
}

/*
 * Forking right after a dispatch would take the processor from the worker that serves.
 * And if the next client comes that soon, forking directly for it is no slower, and
 * less work.
 */
static int64_t refill_time(const struct dispatch *dispatch)
{
	if (dispatch->serving.model->spares_are_dear &&
	    2 * count_kept(dispatch->processes) < dispatch->spare)
		return 0;
	return dispatch->refill_at_us;
}

void dispatch_start_spares(struct dispatch *dispatch, bool quiet, int64_t now_us)
{
	if (!spares_are_missing(dispatch))
		return;
	/*
	 * Clients are served first, but not for ever, or a stream of them would leave
	 * no warm program.
	 */
	if (!quiet && ++dispatch->deferred < SPARES_DEFER)
		return;
	if (now_us < refill_time(dispatch))
		return;
	dispatch->deferred = 0;
	for (int i = 0; i < SPARES_AT_ONCE && spares_are_missing(dispatch); i++)
		if (backoff_waits(&dispatch->fork, now_us) ||
		    backoff_waits(&dispatch->spares, now_us) ||
		    start(dispatch, NULL, now_us) < 0)
			return;
}

/*
 * When the spare that has been idle longest has been so for long enough, or is too old.
 */
static int64_t idle_deadline(const struct dispatch *dispatch)
{
	const struct process_list *idle = &dispatch->processes->in[PROCESS_IDLE];
	int64_t age_us = dispatch->serving.model->spare_age_us;

	if (idle->count == 0)
		return CLOCK_NEVER;
	if (dispatch->finished)
		return 0;
	if (idle->count > dispatch->spare)
		return idle->first->since_us + SURPLUS_US;
	return age_us > 0 ? idle->first->since_us + age_us : CLOCK_NEVER;
}

/* When the spare that was started first should have reported that it waits. */
static int64_t starting_deadline(const struct dispatch *dispatch)
{
	const struct process *first = dispatch->processes->in[PROCESS_STARTING].first;

	if (first == NULL)
		return CLOCK_NEVER;
	return dispatch->finished ? 0 : first->since_us + STARTING_US;
}

/* Whatever it is doing, it does not wait for a connection. */
static void kill_stuck(struct dispatch *dispatch, struct process *process,
		       int64_t now_us)
{
	report_spare_stuck(dispatch->report, process->pid, now_us);
	backoff_failed(&dispatch->spares, now_us);
	process_kill(dispatch->processes, process, REASON_CRASH_SIGNAL, now_us);
}

void dispatch_stop_spares(struct dispatch *dispatch, int64_t now_us)
{
	const struct process_list *lists = dispatch->processes->in;

	while (idle_deadline(dispatch) <= now_us)
		stop_spare(dispatch, lists[PROCESS_IDLE].first, now_us);
	while (starting_deadline(dispatch) <= now_us)
		if (dispatch->finished)
			stop_spare(dispatch, lists[PROCESS_STARTING].first, now_us);
		else
			kill_stuck(dispatch, lists[PROCESS_STARTING].first, now_us);
}

int64_t dispatch_deadline(const struct dispatch *dispatch)
{
	int64_t deadline_us = idle_deadline(dispatch);
	int64_t spares_us = refill_time(dispatch);

	if (starting_deadline(dispatch) < deadline_us)
		deadline_us = starting_deadline(dispatch);
	if (!spares_are_missing(dispatch))
		return deadline_us;
	if (spares_us < dispatch->fork.until_us)
		spares_us = dispatch->fork.until_us;
	if (spares_us < dispatch->spares.until_us)
		spares_us = dispatch->spares.until_us;
	return spares_us < deadline_us ? spares_us : deadline_us;
}

void dispatch_spare_died(struct dispatch *dispatch, const struct process *process,
			 const siginfo_t *info, int64_t now_us)
{
	const struct serving *serving = &dispatch->serving;

	backoff_failed(&dispatch->spares, now_us);
	if (serving->model->unbegun(serving->self, process, NULL, now_us) ==
	    REASON_NONE)
		report_spare_died(dispatch->report, info, now_us);
}

void dispatch_spare_served(struct dispatch *dispatch)
{
	backoff_succeeded(&dispatch->spares);
}

void dispatch_drain(struct dispatch *dispatch, int64_t now_us)
{
	const struct serving *serving = &dispatch->serving;

	dispatch->draining = true;
	if (serving->model->drain != NULL)
		serving->model->drain(serving->self, now_us);
}

void dispatch_abandon(struct dispatch *dispatch, int64_t now_us)
{
	const struct serving *serving = &dispatch->serving;

	dispatch_finish(dispatch);
	if (serving->model->abandon != NULL)
		serving->model->abandon(serving->self, now_us);
}

bool dispatch_has_strays(const struct dispatch *dispatch)
{
	const struct serving *serving = &dispatch->serving;

	return serving->model->has_strays != NULL &&
	       serving->model->has_strays(serving->self);
}

void dispatch_finish(struct dispatch *dispatch)
{
	dispatch->finished = true;
}
