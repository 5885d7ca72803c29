#include "sizing.h"

#include <sys/epoll.h>

#include <assert.h>

#include "acceptor.h"
#include "base/clock.h"
#include "placement.h"
#include "server.h"

#define PATIENCE 10000 /* somebody may wait so long for those there are; microseconds */
#define REST     100000 /* after a look that found them enough; microseconds */
#define RESERVE  4 /* a fourth more than were needed: the next peak may be higher */

/* Options allow for one address only. */
static struct listener *queue(struct prong *server)
{
	return &server->listeners[0];
}

/* Who accepts for himself is idle all his life: only his tally knows better. */
static unsigned count_workers(const struct prong *server)
{
	return server->slots.in[SLOT_IDLE].count;
}

static void set_state(struct prong *server, enum sizing_state state, int64_t look_at)
{
	struct sizing *sizing = &server->sizing;

	if (sizing->state == SIZING_WATCHES && state != SIZING_WATCHES)
		server_unwatch(server, queue(server)->fd);
	sizing->state = state;
	sizing->look_at = look_at;
}

static void watch_queue(struct prong *server, int64_t now)
{
	if (server_watch(server, queue(server)->fd, EPOLLIN, WATCH_QUEUE, 0) == 0)
		set_state(server, SIZING_WATCHES, CLOCK_NEVER);
	else
		set_state(server, SIZING_RESTS, now + REST);
}

void sizing_start(struct prong *server)
{
	server->sizing = (struct sizing){
		.wanted = server->settings.spare,
		.look_at = CLOCK_NEVER,
		.shrink_at = CLOCK_NEVER,
	};
	if (server->tallies != NULL)
		watch_queue(server, clock_now());
}

void sizing_stop(struct prong *server)
{
	set_state(server, SIZING_OFF, CLOCK_NEVER);
	server->sizing.shrink_at = CLOCK_NEVER;
}

static void note_waiting(struct prong *server, const struct totals *totals,
			 int64_t look_at)
{
	server->sizing.closed = totals_closed(totals);
	set_state(server, SIZING_WAITED, look_at);
}

/* An event for each client would cost more than handing it over: one, and then a pause. */
void sizing_heard(struct prong *server)
{
	struct totals totals = acceptor_totals(server);

	assert(server->sizing.state == SIZING_WATCHES);
	note_waiting(server, &totals, clock_now() + PATIENCE);
}

/* To twice as many: thousands are there after a tenth of a second. */
static void grow(struct prong *server, int64_t now)
{
	struct sizing *sizing = &server->sizing;
	unsigned count = count_workers(server);
	unsigned room = server->slots.max - count;

	acceptors_retire(server, 0);
	sizing->full = room == 0;
	if (sizing->full || count < sizing->wanted)
		return; /* in the second case not all that are wanted are there yet */
	sizing->wanted = count + (count < room ? count : room);
	if (sizing->shrink_at == CLOCK_NEVER) {
		sizing->busiest = 0;
		sizing->shrink_at = now + SURPLUS_PATIENCE;
	}
}

/*
 * Clients who wait are not enough: under a stream of short connections there always are
 * some, and more workers would only wake each other more often. But when all are at work,
 * and meanwhile there were fewer ends than workers, they are kept by those they serve.
 */
static bool are_enough(struct prong *server, const struct totals *totals)
{
	const struct sizing *sizing = &server->sizing;
	unsigned count = count_workers(server);

	if (totals_active(totals) < count || listener_queue_is_empty(queue(server)))
		return true;
	return !sizing->full && totals_closed(totals) - sizing->closed >= count;
}

static void look(struct prong *server, int64_t now)
{
	struct sizing *sizing = &server->sizing;
	struct totals totals = acceptor_totals(server);

	if (sizing->busiest < totals_active(&totals))
		sizing->busiest = totals_active(&totals);
	if (are_enough(server, &totals)) {
		sizing->full = false;
		set_state(server, SIZING_RESTS, now + REST);
		return;
	}
	grow(server, now);
	/* Where there may be no more of them, all there is to see is when that ends. */
	note_waiting(server, &totals, now + (sizing->full ? REST : PATIENCE));
}

/* Ends those that were not needed for a while, each after its next connection. */
static void shrink(struct prong *server, int64_t now)
{
	struct sizing *sizing = &server->sizing;
	struct totals totals = acceptor_totals(server);
	uint64_t needed = totals_active(&totals);
	unsigned count = count_workers(server);

	if (needed < sizing->busiest)
		needed = sizing->busiest;
	needed += needed / RESERVE;
	if (needed < server->settings.spare)
		needed = server->settings.spare;
	if (needed < sizing->wanted)
		sizing->wanted = (unsigned)needed;
	acceptors_retire(server, count > sizing->wanted ? count - sizing->wanted : 0);
	sizing->busiest = 0;
	sizing->shrink_at = sizing->wanted > server->settings.spare
				    ? now + SURPLUS_PATIENCE
				    : CLOCK_NEVER;
}

void sizing_settle(struct prong *server)
{
	const struct sizing *sizing = &server->sizing;
	int64_t now;

	if (sizing_deadline(server) == CLOCK_NEVER)
		return;
	now = clock_now();
	if (sizing->look_at <= now && sizing->state == SIZING_WAITED)
		look(server, now);
	else if (sizing->look_at <= now)
		watch_queue(server, now);
	if (sizing->shrink_at <= now)
		shrink(server, now);
}

int64_t sizing_deadline(const struct prong *server)
{
	const struct sizing *sizing = &server->sizing;

	return sizing->look_at < sizing->shrink_at ? sizing->look_at
						   : sizing->shrink_at;
}
