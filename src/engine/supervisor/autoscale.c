#include "autoscale.h"

#include <assert.h>

#include "base/clock.h"

#define SPARED  8 /* of so many workers one may be without a client */
#define RESERVE 4 /* a fourth more than were needed: the next peak may be higher */

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

/* An event for each client would cost more than handing it over: one, then a pause. */
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

/* To twice as many: a thousand are there after a fifth of a second. */
static void grow(struct autoscale *autoscale, unsigned workers, int64_t now_us)
{
	unsigned room = autoscale->most > workers ? autoscale->most - workers : 0;

	autoscale->retiring = 0;
	autoscale->full = room == 0;
	if (autoscale->full || workers < autoscale->wanted)
		return; /* in the second case not all that are wanted are there yet */
	autoscale->wanted = workers + (workers < room ? workers : room);
	if (autoscale->shrink_at_us == CLOCK_NEVER) {
		autoscale->busiest = 0;
		autoscale->shrink_at_us = now_us + AUTOSCALE_SURPLUS_US;
	}
}

/*
 * Under a stream of short connections some client always waits, and more workers would
 * only wake each other more often; so the question is whether those that waited then wait
 * still.
 */
static bool have_waited(const struct autoscale *autoscale,
			const struct autoscale_view *view)
{
	return view->accepted - autoscale->accepted < autoscale->waiting &&
	       view->waiting > 0;
}

/* One in eight may be ending. */
static bool are_held(const struct autoscale_view *view)
{
	return view->active >= view->workers - view->workers / SPARED;
}

/*
 * On a busy machine clients wait for workers that wait for a processor, and more of them
 * would wait for one as well. This look itself is late then.
 */
static bool lacks_processors(const struct autoscale *autoscale, int64_t now_us)
{
	return now_us - autoscale->look_at_us > AUTOSCALE_LATE_US;
}

/*
 * It is not for want of workers, or it cannot be told. Where none takes a client for long
 * it is, after all: clients hold them, or they have been stopped, kill(1).
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

/* Returns whether those that waited still do, for want of workers. */
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

/* Returns whether there shall be more workers. */
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
	/* Where there may be no more of them, only the end of that is left to see. */
	note_waiting(
		autoscale, view,
		now_us + (autoscale->full ? AUTOSCALE_REST_US : AUTOSCALE_PATIENCE_US));
	return true;
}

/* Ends those that were not busy at once, each after its next connection. */
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
