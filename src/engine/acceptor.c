#include "acceptor.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#include "admission.h"
#include "base/clock.h"
#include "base/memory.h"
#include "server.h"

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

int acceptor_take(int listener, pid_t own, struct tally *tally, struct client *client)
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

void acceptor_ended(struct tally *tally, struct score_row *row, enum reason reason)
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

struct acceptor_life acceptor_fold(struct prong *server, const struct slot *slot)
{
	struct tally *tally = &server->tallies[slot_index(&server->slots, slot)];
	struct totals own = { 0 };
	struct acceptor_life life;

	add_tally(&own, tally);
	life.accepted = own.accepted;
	life.open = own.accepted > totals_closed(&own);
	add_tally(&server->totals, tally);
	memset(tally, 0, sizeof(*tally));
	return life;
}

void acceptors_retire(struct prong *server, unsigned count)
{
	const struct slot *slot = server->slots.in[SLOT_IDLE].last;

	for (; slot != NULL; slot = slot->prev) {
		struct tally *tally =
			&server->tallies[slot_index(&server->slots, slot)];

		atomic_store(&tally->retires, count > 0);
		if (count > 0)
			count--;
	}
}

struct totals acceptor_totals(const struct prong *server)
{
	struct totals totals = server->totals;

	if (server->tallies != NULL)
		for (unsigned i = 0; i < server->slots.touched; i++)
			add_tally(&totals, &server->tallies[i]);
	return totals;
}

int64_t acceptor_sessions(const struct prong *server)
{
	struct totals totals;

	if (server->tallies == NULL)
		return server->slots.in[SLOT_BUSY].count;
	totals = acceptor_totals(server);
	return (int64_t)totals_active(&totals);
}
