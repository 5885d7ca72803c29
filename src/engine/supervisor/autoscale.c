#include "autoscale.h"

#include <assert.h>

#include "base/clock.h"

#define SPARED  8 /* one worker of this many may be without a client */
#define RESERVE 4 /* 1/4 more than were needed: the next peak may be higher */

void autoscale_start(struct autoscale *autoscale, unsigned least, unsigned most)
{
	*autoscale = (struct autoscale){
		.least = least,
		.most = most,
		.wanted = least,
		.state = AUTOSCALE_WATCHES,
		.look_at_us = CLOCK_NEVER,
		.shrink_at_us = CLOCK_NEVER,
	};
}

void autoscale_stop(struct autoscale *autoscale)
{
	autoscale->state = AUTOSCALE_OFF;
	autoscale->look_at_us = CLOCK_NEVER;
	autoscale->shrink_at_us = CLOCK_NEVER;
}

static void note_waiting(struct autoscale *autoscale, const struct autoscale_view *view,
			 int64_t look_at_us)
{
	autoscale->waiting = view->waiting;
	autoscale->accepted = view->accepted;
	autoscale->looks = autoscale->stalls = 0;
	autoscale->state = AUTOSCALE_WAITED;
	autoscale->look_at_us = look_at_us;
}

/*
 * An event for each client would cost more than handing it over, so after one event the
 * queue is left alone for a while.
 */
void autoscale_heard(struct autoscale *autoscale, const struct autoscale_view *view,
		     int64_t now_us)
{
	assert(autoscale->state == AUTOSCALE_WATCHES);
	note_waiting(autoscale, view, now_us + AUTOSCALE_PATIENCE_US);
}

void autoscale_missed(struct autoscale *autoscale, const struct autoscale_view *view,
		      int64_t now_us)
{
	note_waiting(autoscale, view, now_us + AUTOSCALE_REST_US);
}

/* Doubles the number: a thousand workers are reached in a fifth of a second. */
static void grow(struct autoscale *autoscale, unsigned workers, int64_t now_us)
{
	unsigned room = autoscale->most > workers ? autoscale->most - workers : 0;

	autoscale->retiring = 0;
	autoscale->full = room == 0;
	if (autoscale->full || workers < autoscale->wanted)
		return; /* some wanted workers have not started yet */
	autoscale->wanted = workers + (workers < room ? workers : room);
	if (autoscale->shrink_at_us == CLOCK_NEVER) {
		autoscale->busiest = 0;
		autoscale->shrink_at_us = now_us + AUTOSCALE_SURPLUS_US;
	}
}

/*
 * Under a stream of short connections some client is always waiting, and more workers
 * would only wake each other more often. So the question is whether those that waited
 * then are waiting still.
 */
static bool have_waited(const struct autoscale *autoscale,
			const struct autoscale_view *view)
{
	return view->accepted - autoscale->accepted < autoscale->waiting &&
	       view->waiting > 0;
}

/* Whether workers are held by clients; one in eight may be ending. */
static bool are_held(const struct autoscale_view *view)
{
	return view->active >= view->workers - view->workers / SPARED;
}

/*
 * On a busy machine clients wait for workers that wait for a processor, and more
 * workers would wait for one too. This look itself is then late.
 */
static bool lacks_processors(const struct autoscale *autoscale, int64_t now_us)
{
	return now_us - autoscale->look_at_us > AUTOSCALE_LATE_US;
}

/*
 * Clients wait although workers are free, or the reason is unknown. If no worker takes
 * a client for long, more workers are needed after all: clients hold them, or they were
 * stopped by kill(1).
 */
static bool have_stalled(struct autoscale *autoscale, const struct autoscale_view *view,
			 int64_t now_us)
{
	autoscale->full = false;
	if (view->accepted != autoscale->accepted) {
		note_waiting(autoscale, view, now_us + AUTOSCALE_REST_US);
		return false;
	}
	autoscale->looks = 0;
	autoscale->look_at_us = now_us + AUTOSCALE_REST_US;
	return ++autoscale->stalls == AUTOSCALE_STALLS;
}

/*
 * Returns whether the clients that waited still wait because there are too few workers.
 */
static bool has_too_few(struct autoscale *autoscale, const struct autoscale_view *view,
			int64_t now_us)
{
	if (!are_held(view) || lacks_processors(autoscale, now_us))
		return have_stalled(autoscale, view, now_us);
	if (++autoscale->looks == AUTOSCALE_LOOKS)
		return true;
	autoscale->look_at_us = now_us + AUTOSCALE_PATIENCE_US;
	return false;
}

/* Returns whether more workers are needed. */
static bool look(struct autoscale *autoscale, const struct autoscale_view *view,
		 int64_t now_us)
{
	if (autoscale->busiest < view->active)
		autoscale->busiest = view->active;
	if (!have_waited(autoscale, view)) {
		autoscale->full = false;
		autoscale->state = AUTOSCALE_RESTS;
		autoscale->look_at_us = now_us + AUTOSCALE_REST_US;
		return false;
	}
	if (!has_too_few(autoscale, view, now_us))
		return false;
	grow(autoscale, view->workers, now_us);
	/*
	 * No more workers are allowed; only the end of the waiting is left to be
	 * noticed.
	 */
	note_waiting(
		autoscale, view,
		now_us + (autoscale->full ? AUTOSCALE_REST_US : AUTOSCALE_PATIENCE_US));
	return true;
}

/* Retires the workers that were not needed at once, each after its next connection. */
static void shrink(struct autoscale *autoscale, const struct autoscale_view *view,
		   int64_t now_us)
{
	uint64_t needed = view->active;

	if (needed < autoscale->busiest)
		needed = autoscale->busiest;
	needed += needed / RESERVE;
	if (needed < autoscale->least)
		needed = autoscale->least;
	if (needed < autoscale->wanted)
		autoscale->wanted = (unsigned)needed;
	autoscale->retiring = view->workers > autoscale->wanted
				      ? view->workers - autoscale->wanted
				      : 0;
	autoscale->busiest = 0;
	autoscale->shrink_at_us = autoscale->wanted > autoscale->least
					  ? now_us + AUTOSCALE_SURPLUS_US
					  : CLOCK_NEVER;
}

bool autoscale_settle(struct autoscale *autoscale, const struct autoscale_view *view,
		      int64_t now_us)
{
	bool decided = false;

	if (autoscale->look_at_us <= now_us && autoscale->state == AUTOSCALE_WAITED) {
		decided = look(autoscale, view, now_us);
	} else if (autoscale->look_at_us <= now_us) {
		autoscale->state = AUTOSCALE_WATCHES;
		autoscale->look_at_us = CLOCK_NEVER;
	}
	if (autoscale->shrink_at_us <= now_us) {
		shrink(autoscale, view, now_us);
		decided = true;
	}
	return decided;
}

int64_t autoscale_deadline(const struct autoscale *autoscale)
{
	return autoscale->look_at_us < autoscale->shrink_at_us
		       ? autoscale->look_at_us
		       : autoscale->shrink_at_us;
}
