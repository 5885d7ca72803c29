#include "acceptor.h"

#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "admission.h"
#include "base/clock.h"
#include "base/memory.h"
#include "server.h"

struct tally *tallies_open(unsigned count)
{
	return memory_shared(count * sizeof(struct tally));
}

void tallies_close(struct tally *tallies, unsigned count)
{
	memory_release(tallies, count * sizeof(struct tally));
}

/* Nobody has asked who this is; the number tells apart those that are open at once. */
static uint64_t number(const struct tally *tally)
{
	return (uint64_t)getpid() << 32 | (score_read(&tally->accepted) & UINT32_MAX);
}

int acceptor_take(int listener, struct tally *tally, struct client *client)
{
	struct sockaddr *peer = &client->peer.any.sa;

	for (;;) {
		client->peer.length = sizeof(client->peer.any);
		client->fd =
			accept4(listener, peer, &client->peer.length, SOCK_CLOEXEC);
		if (client->fd >= 0)
			break;
		/* EINVAL: it is shut. EAGAIN: it is about to be, and nobody waits. */
		if (errno == EINVAL || errno == EAGAIN)
			return 0;
		if (!admission_is_clients_error(errno))
			return -errno;
	}
	if (client->peer.length > sizeof(client->peer.any))
		client->peer.length = sizeof(client->peer.any);
	address_normalize(&client->peer);
	client->accepted_at = clock_now();
	score_add(&tally->accepted, 1);
	client->id = number(tally);
	return 1;
}

void acceptor_ended(struct tally *tally, const struct score_row *row,
		    enum reason reason)
{
	score_add(&tally->bytes_in, score_read(&row->bytes_in));
	score_add(&tally->bytes_out, score_read(&row->bytes_out));
	score_add(&tally->closed[reason], 1);
}

/* A broken-in worker may have written anything there: numbers stay numbers. */
static void add(uint64_t *total, const _Atomic uint64_t *counted)
{
	uint64_t sum = *total + score_read_clamped(counted);

	*total = sum < INT64_MAX ? sum : INT64_MAX;
}

static void add_tally(struct totals *totals, const struct tally *tally)
{
	add(&totals->accepted, &tally->accepted);
	add(&totals->bytes_in, &tally->bytes_in);
	add(&totals->bytes_out, &tally->bytes_out);
	for (int i = 0; i < REASON_COUNT; i++)
		add(&totals->closed[i], &tally->closed[i]);
}

static uint64_t open_connections(const struct tally *tally)
{
	uint64_t accepted = score_read_clamped(&tally->accepted);
	uint64_t closed = 0;

	for (int i = 0; i < REASON_COUNT; i++)
		closed += score_read_clamped(&tally->closed[i]);
	return accepted > closed ? accepted - closed : 0;
}

bool acceptor_fold(struct prong *server, const struct slot *slot)
{
	struct tally *tally = &server->tallies[slot_index(&server->slots, slot)];
	bool open = open_connections(tally) > 0;

	add_tally(&server->totals, tally);
	atomic_store(&tally->accepted, 0);
	atomic_store(&tally->bytes_in, 0);
	atomic_store(&tally->bytes_out, 0);
	for (int i = 0; i < REASON_COUNT; i++)
		atomic_store(&tally->closed[i], 0);
	return open;
}

struct totals acceptor_totals(const struct prong *server)
{
	struct totals totals = server->totals;

	if (server->tallies != NULL)
		for (unsigned i = 0; i < server->slots.touched; i++)
			add_tally(&totals, &server->tallies[i]);
	return totals;
}

uint64_t acceptor_active(const struct prong *server)
{
	uint64_t active = 0;

	if (server->tallies != NULL)
		for (unsigned i = 0; i < server->slots.touched; i++)
			active += open_connections(&server->tallies[i]);
	return active;
}
