/*
 * How many workers should accept for themselves: at least the configured number, and
 * more while clients wait too long in the queue because other clients hold the workers.
 * This part looks at nothing itself: the caller passes what there is to see, and the
 * time. While clients come, it asks for a look a few times in a tenth of a second;
 * otherwise for none.
 *
 * It relies on what workers report. A worker that lies can make it want as many workers
 * as are allowed, or keep it from wanting more, but nothing else.
 */
#ifndef ENGINE_AUTOSCALE_H
#define ENGINE_AUTOSCALE_H

#include <stdbool.h>
#include <stdint.h>

#define AUTOSCALE_PATIENCE_US 10000  /* time for clients in the queue, before a look */
#define AUTOSCALE_LOOKS       2      /* in vain in a row: a machine may stall once */
#define AUTOSCALE_LATE_US     3000   /* a later look means a busy machine */
#define AUTOSCALE_STALLS      5      /* looks in which no worker took any of them */
#define AUTOSCALE_REST_US     100000 /* after a look that found enough workers */
#define AUTOSCALE_SURPLUS_US  10000000 /* from one reduction to the next */

enum autoscale_state {
	AUTOSCALE_OFF,
	AUTOSCALE_WATCHES, /* the queue was empty when last seen; an event will tell */
	AUTOSCALE_WAITED,  /* clients waited; the next look shows if they still do */
	AUTOSCALE_RESTS    /* until the next look */
};

struct autoscale {
	unsigned least, most; /* number of workers */
	unsigned wanted;
	unsigned retiring; /* workers told to leave after their next connection */
	bool full;         /* clients wait too long, but no more workers are allowed */
	enum autoscale_state state;
	int64_t look_at_us; /* CLOCK_NEVER while waiting for an event */

	/* When clients were first seen to wait: */
	unsigned waiting;     /* how many did */
	uint64_t accepted;    /* connections accepted before them, in all */
	unsigned looks;       /* since then, at which they still waited */
	unsigned stalls;      /* of those, with a free worker that took none */
	uint64_t busiest;     /* most sessions at once, seen since the last reduction */
	int64_t shrink_at_us; /* CLOCK_NEVER while only the least number is wanted */
};

/* What the caller sees. */
struct autoscale_view {
	uint64_t accepted; /* connections, in all */
	uint64_t active;   /* of those, still open */
	unsigned workers;  /* that accept now */
	unsigned waiting;  /* clients in the queue */
};

/* Begins to watch, with least workers wanted. */
void autoscale_start(struct autoscale *autoscale, unsigned least, unsigned most);

/* While it watches: clients are in the queue, or were a moment ago. */
void autoscale_heard(struct autoscale *autoscale, const struct autoscale_view *view,
		     int64_t now_us);

/* Events are not available: it looks again after a rest. */
void autoscale_missed(struct autoscale *autoscale, const struct autoscale_view *view,
		      int64_t now_us);

/*
 * Does what is due: looks, and changes the number that is wanted. Returns whether
 * retiring has changed.
 */
bool autoscale_settle(struct autoscale *autoscale, const struct autoscale_view *view,
		      int64_t now_us);

/* No more clients come. */
void autoscale_stop(struct autoscale *autoscale);

/* When something is due next; CLOCK_NEVER: only after an event. */
int64_t autoscale_deadline(const struct autoscale *autoscale);

#endif
