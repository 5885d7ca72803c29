#include "placement.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <unistd.h>

#include "admission.h"
#include "base/clock.h"
#include "base/gate.h"
#include "base/pass.h"
#include "farewell.h"
#include "report.h"
#include "server.h"
#include "session.h"
#include "stop.h"
#include "worker.h"

#define SPARES_AT_ONCE 2    /* forked before the loop looks for clients again */
#define SPARES_DEFER   32   /* rounds of the loop in which clients go first */
#define REFILL_PAUSE   1500 /* without a client placed; microseconds */

void placement_drop_channel(struct prong *server, struct slot *slot)
{
	if (slot->channel < 0)
		return;
	if (slot->polled)
		server_unwatch(server, slot->channel);
	close(slot->channel);
	slot->channel = -1;
	slot->polled = false;
}

/* A worker that serves several connections answers on its channel. */
static int watch_answers(struct prong *server, struct slot *slot)
{
	int err;

	if (server->settings.reuse == 1)
		return 0;
	err = server_watch(server, slot->channel, EPOLLIN, WATCH_CHANNEL,
			   slot_index(&server->slots, slot));
	slot->polled = err == 0;
	return err;
}

/* Returns a pid or a negative errno; in the child it does not return. */
static pid_t fork_worker(struct prong *server, const struct slot *slot, int channel,
			 const struct client *client)
{
	struct worker worker = {
		.settings = server->settings,
		.handler = server->handler,
		.arg = server->arg,
		.rights = server->rights,
		.sandbox = server->sandbox,
		.row = server_row(server, slot),
		.mark = scoreboard_mark(&server->board,
					slot_index(&server->slots, slot)),
		.supervisor = server->pid,
		.channel = channel,
		.listener = -1,
	};
	pid_t pid;

	if (server->tallies != NULL && client == NULL) {
		worker.tally = &server->tallies[slot_index(&server->slots, slot)];
		worker.listener = server->listeners[0].fd;
	}
	if (client != NULL)
		worker.client = *client;
	pid = sandbox_fork(&server->sandbox);
	if (pid == 0)
		worker_main(&worker);
	return pid;
}

static int open_channel(struct prong *server, struct slot *slot, int *childs_end)
{
	int pair[2];
	int err;

	do
		err = (int)GATE(socketpair, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				pair);
	while (err == -EMFILE && farewell_cut_short(server));
	if (err < 0)
		return err;
	slot->channel = pair[0];
	err = watch_answers(server, slot);
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
	struct slot *slot = slot_take(&server->slots);
	int childs_end = -1;
	int err = 0;
	pid_t pid;

	if (slot == NULL)
		return -EAGAIN;
	server_reset_row(server, slot);
	if (server->tallies == NULL && (client == NULL || server->settings.reuse != 1))
		err = open_channel(server, slot, &childs_end);
	if (err < 0)
		goto fail;
	pid = fork_worker(server, slot, childs_end, client);
	if (pid < 0) {
		err = (int)pid;
		goto fail;
	}
	if (childs_end >= 0)
		close(childs_end);
	if (client != NULL)
		slot->client = *client;
	slot_occupy(&server->slots, slot, pid, client != NULL ? SLOT_BUSY : SLOT_IDLE,
		    now);
	server->totals.processes++;
	backoff_succeeded(&server->placement.fork);
	return 0;

fail:
	if (childs_end >= 0)
		close(childs_end);
	placement_drop_channel(server, slot);
	slot_free(&server->slots, slot);
	backoff_failed(&server->placement.fork, now);
	report_fork_failed(server, -err, now);
	return err;
}

void placement_lost_spare(struct prong *server, struct slot *slot, int64_t now)
{
	placement_drop_channel(server, slot);
	slot->unasked = true;
	slot_set_state(&server->slots, slot, SLOT_ENDING, now);
}

/* Hands client to an idle worker. Returns 0, or what pass_send() said. */
static int hand_over(struct prong *server, struct slot *slot, struct client *client,
		     int64_t now)
{
	struct assignment assignment = {
		.id = client->id,
		.accepted_at = client->accepted_at,
		.peer = client->peer,
	};
	int err;

	score_begin(server_row(server, slot));
	err = pass_send(slot->channel, &assignment, sizeof(assignment), client->fd);
	if (err < 0)
		return err;
	slot->client = *client;
	slot_set_state(&server->slots, slot, SLOT_BUSY, now);
	if (server->settings.reuse == 1)
		placement_drop_channel(server, slot);
	backoff_succeeded(&server->placement.spares);
	return 0;
}

/* Who accepts for itself is never given anybody. */
static struct slot *newest_idle(const struct prong *server)
{
	if (server->tallies != NULL)
		return NULL;
	return server->slots.in[SLOT_IDLE].last;
}

/* Hands client to the first idle worker that lives; -ENOENT if there is none. */
static int hand_to_idle(struct prong *server, struct client *client, int64_t now)
{
	struct slot *slot;

	while ((slot = newest_idle(server)) != NULL) {
		int err = hand_over(server, slot, client, now);

		if (err == 0)
			return 0;
		if (err == -EAGAIN) {
			/* It has called itself free without taking those it was given. */
			stop_kill(server, slot);
			continue;
		}
		if (err != -EPIPE && err != -ECONNRESET) {
			/* Its fault is not the worker's: memory, or unix(7), ETOOMANYREFS. */
			backoff_failed(&server->placement.fork, now);
			report_fork_failed(server, -err, now);
			return err;
		}
		placement_lost_spare(server, slot, now);
	}
	return -ENOENT;
}

static int place_with_worker(struct prong *server, struct client *client, int64_t now)
{
	int err = hand_to_idle(server, client, now);
	struct slot *slot;

	if (err == -ENOENT)
		err = backoff_waits(&server->placement.fork, now)
			      ? -EAGAIN
			      : start_worker(server, client, now);
	if (err < 0)
		return err;
	slot = server->slots.in[SLOT_BUSY].last;
	report_serve(server, client, slot->pid);
	close(client->fd);
	slot->client.fd = -1;
	return 0;
}

int placement_place(struct prong *server, struct client *client, int64_t now)
{
	int err = server->handler != NULL ? place_with_worker(server, client, now)
					  : session_start(server, client, now);

	if (err == 0)
		server->placement.refill_at = now + REFILL_PAUSE;
	return err;
}

bool placement_has_room(const struct prong *server)
{
	return newest_idle(server) != NULL || !slots_are_all_taken(&server->slots);
}

static bool spares_are_missing(const struct prong *server)
{
	return !server->stop.asked && !slots_are_all_taken(&server->slots) &&
	       server->slots.in[SLOT_IDLE].count < server->sizing.wanted;
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
	    2 * server->slots.in[SLOT_IDLE].count < server->settings.spare)
		return 0;
	return server->placement.refill_at;
}

static int start_spare(struct prong *server, int64_t now)
{
	return server->handler != NULL ? start_worker(server, NULL, now)
				       : session_start_spare(server, now);
}

void start_missing_spares(struct prong *server)
{
	struct placement *placement = &server->placement;
	int64_t now;

	if (!spares_are_missing(server))
		return;
	/* Clients first; but not for ever, or a stream would leave no warm program. */
	if (!server->calm && ++placement->deferred < SPARES_DEFER)
		return;
	now = clock_now();
	if (now < refill_time(server))
		return;
	placement->deferred = 0;
	for (int i = 0; i < SPARES_AT_ONCE && spares_are_missing(server); i++)
		if (backoff_waits(&placement->fork, now) ||
		    backoff_waits(&placement->spares, now) ||
		    start_spare(server, now) < 0)
			return;
}

/* When the spare that has idled longest has done so for long enough. */
static int64_t surplus_deadline(const struct prong *server)
{
	const struct slot_list *idle = &server->slots.in[SLOT_IDLE];

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
		struct slot *slot = server->slots.in[SLOT_IDLE].first;

		placement_drop_channel(server, slot);
		slot_set_state(&server->slots, slot, SLOT_ENDING, now);
	}
}

int64_t placement_deadline(const struct prong *server)
{
	const struct placement *placement = &server->placement;
	int64_t deadline = surplus_deadline(server);
	int64_t spares = refill_time(server);

	if (spares < placement->fork.until)
		spares = placement->fork.until;
	if (spares < placement->spares.until)
		spares = placement->spares.until;
	if (spares_are_missing(server) && spares < deadline)
		deadline = spares;
	return deadline;
}
