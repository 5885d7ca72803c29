#include "dispatch.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <unistd.h>

#include "admission.h"
#include "base/clock.h"
#include "base/gate.h"
#include "base/pass.h"
#include "linger.h"
#include "report.h"
#include "server.h"
#include "session.h"
#include "stop.h"
#include "engine/worker/worker.h"

#define SPARES_AT_ONCE 2    /* forked before the loop looks for clients again */
#define SPARES_DEFER   32   /* rounds of the loop in which clients go first */
#define REFILL_PAUSE   1500 /* without a client placed; microseconds */

void dispatch_drop_channel(struct prong *server, struct process *process)
{
	if (process->channel < 0)
		return;
	if (process->polled)
		server_unwatch(server, process->channel);
	close(process->channel);
	process->channel = -1;
	process->polled = false;
}

/* A worker that serves several connections answers on its channel. */
static int watch_answers(struct prong *server, struct process *process)
{
	int err;

	if (server->settings.reuse == 1)
		return 0;
	err = server_watch(server, process->channel, EPOLLIN, WATCH_CHANNEL,
			   process_index(&server->processes, process));
	process->polled = err == 0;
	return err;
}

/* Returns a pid or a negative errno; in the child it does not return. */
static pid_t fork_worker(struct prong *server, const struct process *process,
			 int channel, const struct client *client)
{
	struct worker worker = {
		.settings = server->settings,
		.handler = server->handler,
		.arg = server->arg,
		.privileges = server->privileges,
		.sandbox = server->sandbox,
		.row = server_row(server, process),
		.mark = scoreboard_mark(&server->board,
					process_index(&server->processes, process)),
		.supervisor = server->pid,
		.channel = channel,
		.listener = -1,
	};
	pid_t pid;

	if (server->tallies != NULL && client == NULL) {
		worker.tally =
			&server->tallies[process_index(&server->processes, process)];
		worker.listener = server->listeners[0].fd;
	}
	if (client != NULL)
		worker.client = *client;
	pid = sandbox_fork(&server->sandbox);
	if (pid == 0)
		worker_main(&worker);
	return pid;
}

static int open_channel(struct prong *server, struct process *process, int *childs_end)
{
	int pair[2];
	int err;

	do
		err = (int)GATE(socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair);
	while (err == -EMFILE && linger_cut_short(server));
	if (err < 0)
		return err;
	process->channel = pair[0];
	err = watch_answers(server, process);
	if (err < 0) {
		close(pair[1]);
		return err;
	}
	*childs_end = pair[1];
	return 0;
}

/* Starts a worker in a slot of its own, for client or, if that is NULL, as a spare. */
static int start_worker(struct prong *server, const struct client *client, int64_t now)
{
	struct process *process = process_take(&server->processes);
	int childs_end = -1;
	int err = 0;
	pid_t pid;

	if (process == NULL)
		return -EAGAIN;
	server_reset_row(server, process);
	if (server->tallies == NULL && (client == NULL || server->settings.reuse != 1))
		err = open_channel(server, process, &childs_end);
	if (err < 0)
		goto fail;
	pid = fork_worker(server, process, childs_end, client);
	if (pid < 0) {
		err = (int)pid;
		goto fail;
	}
	if (childs_end >= 0)
		close(childs_end);
	if (client != NULL)
		process->client = *client;
	process_occupy(&server->processes, process, pid,
		       client != NULL ? PROCESS_BUSY : PROCESS_IDLE, now);
	server->totals.processes++;
	backoff_succeeded(&server->dispatch.fork);
	return 0;

fail:
	if (childs_end >= 0)
		close(childs_end);
	dispatch_drop_channel(server, process);
	process_free(&server->processes, process);
	backoff_failed(&server->dispatch.fork, now);
	report_fork_failed(server, -err, now);
	return err;
}

void dispatch_lost_spare(struct prong *server, struct process *process, int64_t now)
{
	dispatch_drop_channel(server, process);
	process->unasked = true;
	process_set_state(&server->processes, process, PROCESS_ENDING, now);
}

/* Hands client to an idle worker. Returns 0, or what pass_send() said. */
static int hand_over(struct prong *server, struct process *process,
		     struct client *client, int64_t now)
{
	struct handover handover = {
		.id = client->id,
		.accepted_at = client->accepted_at,
		.peer = client->peer,
	};
	int err;

	score_begin(server_row(server, process));
	err = pass_send(process->channel, &handover, sizeof(handover), client->fd);
	if (err < 0)
		return err;
	process->client = *client;
	process_set_state(&server->processes, process, PROCESS_BUSY, now);
	if (server->settings.reuse == 1)
		dispatch_drop_channel(server, process);
	backoff_succeeded(&server->dispatch.spares);
	return 0;
}

/* Who accepts for itself is never given anybody. */
static struct process *newest_idle(const struct prong *server)
{
	if (server->tallies != NULL)
		return NULL;
	return server->processes.in[PROCESS_IDLE].last;
}

/* Hands client to the first idle worker that lives; -ENOENT if there is none. */
static int hand_to_idle(struct prong *server, struct client *client, int64_t now)
{
	struct process *process;

	while ((process = newest_idle(server)) != NULL) {
		int err = hand_over(server, process, client, now);

		if (err == 0)
			return 0;
		if (err == -EAGAIN) {
			/* It has called itself free without taking those it was given. */
			stop_kill(server, process);
			continue;
		}
		if (err != -EPIPE && err != -ECONNRESET) {
			/* Its fault is not the worker's: memory, or unix(7), ETOOMANYREFS. */
			backoff_failed(&server->dispatch.fork, now);
			report_fork_failed(server, -err, now);
			return err;
		}
		dispatch_lost_spare(server, process, now);
	}
	return -ENOENT;
}

static int place_with_worker(struct prong *server, struct client *client, int64_t now)
{
	int err = hand_to_idle(server, client, now);
	struct process *process;

	if (err == -ENOENT)
		err = backoff_waits(&server->dispatch.fork, now)
			      ? -EAGAIN
			      : start_worker(server, client, now);
	if (err < 0)
		return err;
	process = server->processes.in[PROCESS_BUSY].last;
	report_serve(server, client, process->pid);
	close(client->fd);
	process->client.fd = -1;
	return 0;
}

int dispatch_place(struct prong *server, struct client *client, int64_t now)
{
	int err = server->handler != NULL ? place_with_worker(server, client, now)
					  : session_start(server, client, now);

	if (err == 0)
		server->dispatch.refill_at = now + REFILL_PAUSE;
	return err;
}

bool dispatch_has_room(const struct prong *server)
{
	return newest_idle(server) != NULL ||
	       !processes_are_all_taken(&server->processes);
}

static bool spares_are_missing(const struct prong *server)
{
	return !server->stop.asked && !processes_are_all_taken(&server->processes) &&
	       server->processes.in[PROCESS_IDLE].count < server->autoscale.wanted;
}

/*
 * Forking beside a connection that was just placed takes the processor from its worker.
 * And when the next one comes so soon, forking for it directly is no slower, and less
 * work. A program that is kept warm is worth more: only while half of them are left
 * there is time.
 */
static int64_t refill_time(const struct prong *server)
{
	if (server->handler == NULL &&
	    2 * server->processes.in[PROCESS_IDLE].count < server->settings.spare)
		return 0;
	return server->dispatch.refill_at;
}

static int start_spare(struct prong *server, int64_t now)
{
	return server->handler != NULL ? start_worker(server, NULL, now)
				       : session_start_spare(server, now);
}

void start_missing_spares(struct prong *server)
{
	struct dispatch *dispatch = &server->dispatch;
	int64_t now;

	if (!spares_are_missing(server))
		return;
	/* Clients first; but not for ever, or a stream would leave no warm program. */
	if (!server->calm && ++dispatch->deferred < SPARES_DEFER)
		return;
	now = clock_now();
	if (now < refill_time(server))
		return;
	dispatch->deferred = 0;
	for (int i = 0; i < SPARES_AT_ONCE && spares_are_missing(server); i++)
		if (backoff_waits(&dispatch->fork, now) ||
		    backoff_waits(&dispatch->spares, now) ||
		    start_spare(server, now) < 0)
			return;
}

/* When the spare that has idled longest has done so for long enough. */
static int64_t surplus_deadline(const struct prong *server)
{
	const struct process_list *idle = &server->processes.in[PROCESS_IDLE];

	if (server->tallies != NULL) /* they leave when their listener is shut */
		return CLOCK_NEVER;
	if (server->stop.asked && admission_is_over(server))
		return idle->count > 0 ? 0 : CLOCK_NEVER;
	if (idle->count <= server->settings.spare)
		return CLOCK_NEVER;
	return idle->first->since + SURPLUS_PATIENCE;
}

void stop_surplus_spares(struct prong *server)
{
	int64_t now = clock_now();

	while (surplus_deadline(server) <= now) {
		struct process *process = server->processes.in[PROCESS_IDLE].first;

		dispatch_drop_channel(server, process);
		process_set_state(&server->processes, process, PROCESS_ENDING, now);
	}
}

int64_t dispatch_deadline(const struct prong *server)
{
	const struct dispatch *dispatch = &server->dispatch;
	int64_t deadline = surplus_deadline(server);
	int64_t spares = refill_time(server);

	if (spares < dispatch->fork.until)
		spares = dispatch->fork.until;
	if (spares < dispatch->spares.until)
		spares = dispatch->spares.until;
	if (spares_are_missing(server) && spares < deadline)
		deadline = spares;
	return deadline;
}
