#include "accepting.h"

#include <sys/socket.h>

#include <errno.h>
#include <poll.h>

#include "base/accept_error.h"
#include "base/clock.h"
#include "base/listener.h"
#include "engine/record/backoff.h"
#include "engine/record/client.h"
#include "engine/record/scoreboard.h"

#define ACCEPTS_AT_ONCE 16

/* A number that no other open connection has. */
static uint64_t number(pid_t own, const struct tally *tally)
{
	return (uint64_t)own << 32 | (score_read(&tally->accepted) & UINT32_MAX);
}

/* A missing resource may be back in a moment, and a new worker would lack it too. */
static void pause_accepting(struct backoff *backoff)
{
	backoff_failed(backoff, clock_now_us());
	poll(NULL, 0, (int)(backoff->pause_us / 1000));
}

int accepting_take(int listener, pid_t own, struct tally *tally, struct client *client)
{
	struct sockaddr *peer = &client->peer.any.sa;
	struct backoff backoff = { 0 };

	for (int tries = 1;; tries++) {
		client->peer.length = sizeof(client->peer.any);
		client->fd =
			accept4(listener, peer, &client->peer.length, SOCK_CLOEXEC);
		if (client->fd >= 0)
			break;
		/*
		 * EINVAL: it is shut. EAGAIN: it soon will be, and its queue is empty.
		 */
		if (errno == EINVAL || errno == EAGAIN)
			return 0;
		/* If that many tries in a row fail, the clients are not the cause. */
		if (tries == ACCEPTS_AT_ONCE)
			return -errno;
		if (!accept_error_is_clients(errno))
			pause_accepting(&backoff);
	}
	address_normalize(&client->peer);
	client->accepted_at_us = clock_now_us();
	score_add(&tally->accepted, 1);
	client->id = number(own, tally);
	return 1;
}

void accepting_ended(struct tally *tally, struct score_row *row, enum reason reason)
{
	score_add(&tally->bytes_in, score_read(&row->bytes_in));
	score_add(&tally->bytes_out, score_read(&row->bytes_out));
	score_begin(row); /* or a kill at this point would count these bytes twice */
	score_add(&tally->closed[reason], 1);
}
