#include "sizing.h"

#include <sys/epoll.h>

#include "acceptor.h"
#include "base/clock.h"
#include "placement.h"
#include "server.h"

#define PATIENCE 10000  /* somebody may wait so long for one of those there are */
#define REST     100000 /* after a look that found them enough; both microseconds */

static struct listener *queue(struct prong *server)
{
	return &server->listeners[0];
}

static unsigned workers(const struct prong *server)
{
	return server->slots.in[SLOT_IDLE].count;
}

static void note_queue(struct prong *server, const struct totals *totals, int64_t now)
{
	server->sizing.waited = true;
	server->sizing.closed = totals_closed(totals);
	server->sizing.look_at = now + PATIENCE;
}

static void rest(struct prong *server, int64_t now)
{
	server->sizing.waited = false;
	server->sizing.look_at = now + REST;
}

static void watch_queue(struct prong *server, int64_t now)
{
	struct sizing *sizing = &server->sizing;

	sizing->watched =
		server_watch(server, queue(server)->fd, EPOLLIN, WATCH_QUEUE, 0) == 0;
	if (sizing->watched)
		sizing->look_at = CLOCK_NEVER;
	else
		rest(server, now);
}

static void leave_queue(struct prong *server)
{
	if (server->sizing.watched)
		server_unwatch(server, queue(server)->fd);
	server->sizing.watched = false;
}

void sizing_start(struct prong *server)
{
	server->sizing.wanted = server->settings.spare;
	server->sizing.look_at = server->sizing.shrink_at = CLOCK_NEVER;
	if (server->tallies != NULL)
		watch_queue(server, clock_now());
}

void sizing_stop(struct prong *server)
{
	leave_queue(server);
	server->sizing.look_at = server->sizing.shrink_at = CLOCK_NEVER;
}

/* An event for each client would cost more than handing it over. */
void sizing_heard(struct prong *server)
{
	struct totals totals = acceptor_totals(server);

	if (!server->sizing.watched)
		return;
	leave_queue(server);
	note_queue(server, &totals, clock_now());
}

static void grow(struct prong *server, int64_t now)
{
	struct sizing *sizing = &server->sizing;
	unsigned count = workers(server);
	unsigned more = count;

	sizing->full = count == server->slots.max;
	if (sizing->full || count < sizing->wanted)
		return; /* those that are wanted are not all there yet */
	if (more > server->slots.max - count)
		more = server->slots.max - count;
	sizing->wanted = count + more;
	if (sizing->shrink_at == CLOCK_NEVER) {
		sizing->busiest = 0;
		sizing->shrink_at = now + SURPLUS_PATIENCE;
	}
	acceptors_retire(server, 0);
}

/*
 * Clients who wait are not enough: under a stream of short connections there always are
 * some, and more workers would only wake each other more often. But when all are at work,
 * and meanwhile there were fewer ends than workers, they are kept by those they serve.
 */
static void look(struct prong *server, int64_t now)
{
	struct sizing *sizing = &server->sizing;
	struct totals totals = acceptor_totals(server);
	unsigned count = workers(server);
	uint64_t sessions = totals_active(&totals);

	if (sizing->busiest < sessions)
		sizing->busiest = sessions;
	if (sessions < count || totals_closed(&totals) - sizing->closed >= count ||
	    listener_queue_is_empty(queue(server))) {
		sizing->full = false;
		rest(server, now);
		return;
	}
	grow(server, now);
	note_queue(server, &totals, now);
}

/* Ends those that were not needed for a while, each after its next connection. */
static void shrink(struct prong *server, int64_t now)
{
	struct sizing *sizing = &server->sizing;
	struct totals totals = acceptor_totals(server);
	uint64_t sessions = totals_active(&totals);
	uint64_t needed = sizing->busiest > sessions ? sizing->busiest : sessions;
	unsigned count = workers(server);

	needed += needed / 4;
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
	if (sizing->look_at <= now && sizing->waited)
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
