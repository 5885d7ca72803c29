#include "accepting.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include "engine/supervisor/admission.h"
#include "base/clock.h"
#include "base/memory.h"
#include "engine/supervisor/server.h"

#define ACCEPTS_AT_ONCE 16

struct tally *tallies_open(unsigned count)
{
	return memory_shared(count * sizeof(struct tally));
}

void tallies_close(struct tally *tallies, unsigned count)
{
	memory_release(tallies, count * sizeof(struct tally));
}

/* Nobody has asked who this is; the number tells apart those that are open at once. */
static uint64_t number(pid_t own, const struct tally *tally)
{
	return (uint64_t)own << 32 | (score_read(&tally->accepted) & UINT32_MAX);
}

int accepting_take(int listener, pid_t own, struct tally *tally, struct client *client)
{
	struct sockaddr *peer = &client->peer.any.sa;

	for (int tries = 1;; tries++) {
		client->peer.length = sizeof(client->peer.any);
		client->fd =
			accept4(listener, peer, &client->peer.length, SOCK_CLOEXEC);
		if (client->fd >= 0)
			break;
		/* EINVAL: it is shut. EAGAIN: it is about to be, and nobody waits. */
		if (errno == EINVAL || errno == EAGAIN)
			return 0;
		/* Where not one of so many came, it is not the clients. */
		if (!admission_is_clients_error(errno) || tries == ACCEPTS_AT_ONCE)
			return -errno;
	}
	if (client->peer.length > sizeof(client->peer.any))
		client->peer.length = sizeof(client->peer.any);
	address_normalize(&client->peer);
	client->accepted_at = clock_now();
	score_add(&tally->accepted, 1);
	client->id = number(own, tally);
	return 1;
}

void accepting_ended(struct tally *tally, struct score_row *row, enum reason reason)
{
	score_add(&tally->bytes_in, score_read(&row->bytes_in));
	score_add(&tally->bytes_out, score_read(&row->bytes_out));
	score_begin(row); /* or, killed now, it would count these bytes twice */
	score_add(&tally->closed[reason], 1);
}

/* Closed first: who is counted as accepted in between is not yet closed. */
static void add_tally(struct totals *totals, const struct tally *tally)
{
	for (int i = 0; i < REASON_COUNT; i++)
		score_sum(&totals->closed[i], score_read_clamped(&tally->closed[i]));
	atomic_thread_fence(memory_order_acquire);
	score_sum(&totals->accepted, score_read_clamped(&tally->accepted));
	score_sum(&totals->bytes_in, score_read_clamped(&tally->bytes_in));
	score_sum(&totals->bytes_out, score_read_clamped(&tally->bytes_out));
}

struct accepting_life accepting_fold(struct prong *server,
				     const struct process *process)
{
	struct tally *tally =
		&server->tallies[process_index(&server->processes, process)];
	struct totals own = { 0 };
	struct accepting_life life;

	add_tally(&own, tally);
	life.accepted = own.accepted;
	life.open = own.accepted > totals_closed(&own);
	add_tally(&server->totals, tally);
	memset(tally, 0, sizeof(*tally));
	return life;
}

void accepting_retire(struct prong *server, unsigned count)
{
	const struct process *process = server->processes.in[PROCESS_IDLE].last;

	for (; process != NULL; process = process->prev) {
		struct tally *tally =
			&server->tallies[process_index(&server->processes, process)];

		atomic_store(&tally->retires, count > 0);
		if (count > 0)
			count--;
	}
}

struct totals accepting_totals(const struct prong *server)
{
	struct totals totals = server->totals;

	if (server->tallies != NULL)
		for (unsigned i = 0; i < server->processes.touched; i++)
			add_tally(&totals, &server->tallies[i]);
	return totals;
}

int64_t accepting_sessions(const struct prong *server)
{
	struct totals totals;

	if (server->tallies == NULL)
		return server->processes.in[PROCESS_BUSY].count;
	totals = accepting_totals(server);
	return (int64_t)totals_active(&totals);
}
