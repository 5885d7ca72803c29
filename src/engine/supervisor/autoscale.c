#include "autoscale.h"

#include <sys/epoll.h>

#include <assert.h>

#include "engine/worker/accepting.h"
#include "base/clock.h"
#include "dispatch.h"
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
	return server->processes.in[PROCESS_IDLE].count;
}

static void set_state(struct prong *server, enum autoscale_state state, int64_t look_at)
{
	struct autoscale *autoscale = &server->autoscale;

	if (autoscale->state == AUTOSCALE_WATCHES && state != AUTOSCALE_WATCHES)
		server_unwatch(server, queue(server)->fd);
	autoscale->state = state;
	autoscale->look_at = look_at;
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
	struct autoscale *autoscale = &server->autoscale;

	autoscale->waiting = count_waiting(server);
	autoscale->accepted = totals->accepted;
	autoscale->looks = 0;
	set_state(server, AUTOSCALE_WAITED, look_at);
}

static void watch_queue(struct prong *server, int64_t now)
{
	struct totals totals;

	if (server_watch(server, queue(server)->fd, EPOLLIN, WATCH_QUEUE, 0) == 0) {
		set_state(server, AUTOSCALE_WATCHES, CLOCK_NEVER);
		return;
	}
	totals = accepting_totals(server);
	note_waiting(server, &totals, now + REST);
}

void autoscale_start(struct prong *server)
{
	server->autoscale = (struct autoscale){
		.wanted = server->settings.spare,
		.look_at = CLOCK_NEVER,
		.shrink_at = CLOCK_NEVER,
	};
	if (server->tallies != NULL)
		watch_queue(server, clock_now());
}

void autoscale_stop(struct prong *server)
{
	set_state(server, AUTOSCALE_OFF, CLOCK_NEVER);
	server->autoscale.shrink_at = CLOCK_NEVER;
}

/* An event for each client would cost more than handing it over: one, and then a pause. */
void autoscale_heard(struct prong *server)
{
	struct totals totals = accepting_totals(server);

	assert(server->autoscale.state == AUTOSCALE_WATCHES);
	note_waiting(server, &totals, clock_now() + PATIENCE);
}

/* To twice as many: a thousand are there after a fifth of a second. */
static void grow(struct prong *server, int64_t now)
{
	struct autoscale *autoscale = &server->autoscale;
	unsigned count = count_workers(server);
	unsigned room = server->processes.max - count;

	accepting_retire(server, 0);
	autoscale->full = room == 0;
	if (autoscale->full || count < autoscale->wanted)
		return; /* in the second case not all that are wanted are there yet */
	autoscale->wanted = count + (count < room ? count : room);
	if (autoscale->shrink_at == CLOCK_NEVER) {
		autoscale->busiest = 0;
		autoscale->shrink_at = now + SURPLUS_PATIENCE;
	}
}

/*
 * Under a stream of short connections somebody always waits, and more workers would only
 * wake each other more often; so it is asked whether those who waited then wait still.
 */
static bool have_waited(struct prong *server, const struct totals *totals)
{
	const struct autoscale *autoscale = &server->autoscale;

	return totals->accepted - autoscale->accepted < autoscale->waiting &&
	       !listener_queue_is_empty(queue(server));
}

static void look(struct prong *server, int64_t now)
{
	struct autoscale *autoscale = &server->autoscale;
	struct totals totals = accepting_totals(server);

	if (autoscale->busiest < totals_active(&totals))
		autoscale->busiest = totals_active(&totals);
	if (!have_waited(server, &totals)) {
		autoscale->full = false;
		set_state(server, AUTOSCALE_RESTS, now + REST);
	} else if (++autoscale->looks < LOOKS) {
		set_state(server, AUTOSCALE_WAITED, now + PATIENCE);
	} else {
		grow(server, now);
		/* Where there may be no more of them, what is left to see is the end of that. */
		note_waiting(server, &totals,
			     now + (autoscale->full ? REST : PATIENCE));
	}
}

/* Ends those that were not at work at once, each after its next connection. */
static void shrink(struct prong *server, int64_t now)
{
	struct autoscale *autoscale = &server->autoscale;
	struct totals totals = accepting_totals(server);
	uint64_t needed = totals_active(&totals);
	unsigned count = count_workers(server);

	if (needed < autoscale->busiest)
		needed = autoscale->busiest;
	needed += needed / RESERVE;
	if (needed < server->settings.spare)
		needed = server->settings.spare;
	if (needed < autoscale->wanted)
		autoscale->wanted = (unsigned)needed;
	accepting_retire(server,
			 count > autoscale->wanted ? count - autoscale->wanted : 0);
	autoscale->busiest = 0;
	autoscale->shrink_at = autoscale->wanted > server->settings.spare
				       ? now + SURPLUS_PATIENCE
				       : CLOCK_NEVER;
}

void autoscale_settle(struct prong *server)
{
	const struct autoscale *autoscale = &server->autoscale;
	int64_t now;

	if (autoscale_deadline(server) == CLOCK_NEVER)
		return;
	now = clock_now();
	if (autoscale->look_at <= now && autoscale->state == AUTOSCALE_WAITED)
		look(server, now);
	else if (autoscale->look_at <= now)
		watch_queue(server, now);
	if (autoscale->shrink_at <= now)
		shrink(server, now);
}

int64_t autoscale_deadline(const struct prong *server)
{
	const struct autoscale *autoscale = &server->autoscale;

	return autoscale->look_at < autoscale->shrink_at ? autoscale->look_at
							 : autoscale->shrink_at;
}
