/*
 * How many workers shall accept for themselves: as many as there are to be at least, and
 * more while clients wait too long in the queue because others hold the workers. It looks
 * at nothing itself: it is told what there is to see, and the time. Where clients come, it
 * wants a look a few times in a tenth of a second, and none where no client comes.
 *
 * It rests on what workers say of themselves: one that lies makes there be max of them, or
 * no more than there are; nothing else.
 */
#ifndef ENGINE_AUTOSCALE_H
#define ENGINE_AUTOSCALE_H

#include <stdbool.h>
#include <stdint.h>

#define AUTOSCALE_PATIENCE_US 10000  /* for clients in the queue, before each look */
#define AUTOSCALE_LOOKS       2      /* in vain: a machine may stand still once */
#define AUTOSCALE_LATE_US     3000   /* a look that comes later tells of the machine */
#define AUTOSCALE_STALLS      5      /* rests in which no worker took one of them */
#define AUTOSCALE_REST_US     100000 /* after a look that found workers enough */
#define AUTOSCALE_SURPLUS_US  10000000 /* from one shrinking to the next */

enum autoscale_state {
	AUTOSCALE_OFF,
	AUTOSCALE_WATCHES, /* the queue is empty, as far as is known; an event will tell */
	AUTOSCALE_WAITED, /* clients waited; the next look is for whether they still do */
	AUTOSCALE_RESTS   /* until the next look */
};

struct autoscale {
	unsigned least, most; /* workers */
	unsigned wanted;
	unsigned retiring; /* workers to leave after their next connection */
	bool full;         /* clients have waited too long, but there may be no more */
	enum autoscale_state state;
	int64_t look_at_us; /* CLOCK_NEVER while an event tells */

	/* When clients were first seen to wait: */
	unsigned waiting;  /* so many did */
	uint64_t accepted; /* in all, before them */
	unsigned looks;    /* since then, at which they waited still */
	unsigned stalls;  /* of those, at which a worker was free, but none was taken */
	uint64_t busiest; /* sessions at once, at the looks since the last shrinking */
	int64_t shrink_at_us; /* CLOCK_NEVER while no more than the least are wanted */
};

/* What there is to see. */
struct autoscale_view {
	uint64_t accepted; /* connections, in all */
	uint64_t active;   /* of those, not ended */
	unsigned workers;  /* that accept now */
	unsigned waiting;  /* clients in the queue */
};

/* Begins to watch, with least workers wanted. */
void autoscale_start(struct autoscale *autoscale, unsigned least, unsigned most);

/* While it watches: there are clients in the queue, or just were. */
void autoscale_heard(struct autoscale *autoscale, const struct autoscale_view *view,
		     int64_t now_us);

/* Events cannot be had: it looks again after a rest. */
void autoscale_missed(struct autoscale *autoscale, const struct autoscale_view *view,
		      int64_t now_us);

/*
 * Does what is due by now: looks, and changes how many are wanted. Returns whether
 * retiring has been decided anew.
 */
bool autoscale_settle(struct autoscale *autoscale, const struct autoscale_view *view,
		      int64_t now_us);

/* No more clients come. */
void autoscale_stop(struct autoscale *autoscale);

/* When something is next due; CLOCK_NEVER: after an event. */
int64_t autoscale_deadline(const struct autoscale *autoscale);

#endif
