#include "sizing.h"

#include <sys/epoll.h>

#include <assert.h>

#include "acceptor.h"
#include "base/clock.h"
#include "placement.h"
#include "server.h"

#define LOOKS    2      /* in vain at those who wait: a machine may stand still once */
#define PATIENCE 10000  /* before each of these looks; microseconds */
#define REST     100000 /* after a look that found workers enough; microseconds */
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

/* Where nothing tells how many wait, each worker is to take one. */
static unsigned count_waiting(struct prong *server)
{
	int length = listener_queue_length(queue(server));

	if (length >= 0)
		return (unsigned)length;
	return listener_queue_is_empty(queue(server)) ? 0 : count_workers(server);
}

static void note_waiting(struct prong *server, const struct totals *totals,
			 int64_t look_at)
{
	struct sizing *sizing = &server->sizing;

	sizing->waiting = count_waiting(server);
	sizing->accepted = totals->accepted;
	sizing->looks = 0;
	set_state(server, SIZING_WAITED, look_at);
}

static void watch_queue(struct prong *server, int64_t now)
{
	struct totals totals;

	if (server_watch(server, queue(server)->fd, EPOLLIN, WATCH_QUEUE, 0) == 0) {
		set_state(server, SIZING_WATCHES, CLOCK_NEVER);
		return;
	}
	totals = acceptor_totals(server);
	note_waiting(server, &totals, now + REST);
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

/* An event for each client would cost more than handing it over: one, and then a pause. */
void sizing_heard(struct prong *server)
{
	struct totals totals = acceptor_totals(server);

	assert(server->sizing.state == SIZING_WATCHES);
	note_waiting(server, &totals, clock_now() + PATIENCE);
}

/* To twice as many: a thousand are there after a fifth of a second. */
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
 * Under a stream of short connections somebody always waits, and more workers would only
 * wake each other more often; so it is asked whether those who waited then wait still.
 */
static bool have_waited(struct prong *server, const struct totals *totals)
{
	const struct sizing *sizing = &server->sizing;

	return totals->accepted - sizing->accepted < sizing->waiting &&
	       !listener_queue_is_empty(queue(server));
}

static void look(struct prong *server, int64_t now)
{
	struct sizing *sizing = &server->sizing;
	struct totals totals = acceptor_totals(server);

	if (sizing->busiest < totals_active(&totals))
		sizing->busiest = totals_active(&totals);
	if (!have_waited(server, &totals)) {
		sizing->full = false;
		set_state(server, SIZING_RESTS, now + REST);
	} else if (++sizing->looks < LOOKS) {
		set_state(server, SIZING_WAITED, now + PATIENCE);
	} else {
		grow(server, now);
		/* Where there may be no more of them, what is left to see is the end of that. */
		note_waiting(server, &totals, now + (sizing->full ? REST : PATIENCE));
	}
}

/* Ends those that were not at work at once, each after its next connection. */
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
