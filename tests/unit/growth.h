/*
 * A pool whose growth a test watches: the test sets what there is to see, and the time.
 */
#ifndef TESTS_GROWTH_H
#define TESTS_GROWTH_H

#include "base/clock.h"
#include "engine/supervisor/autoscale.h"

#define MS     INT64_C(1000)
#define SECOND (1000 * MS)
#define START  (1000 * SECOND)

extern struct autoscale autoscale;
extern struct autoscale_view view;
extern int64_t now;

/* Begins with least workers, which have no client. */
void begin(unsigned least, unsigned most);

/* The loop reports that clients are in the queue. */
void hear(unsigned waiting);

/* Like hear(), while every worker already has a client. */
void hear_while_held(unsigned waiting);

/* Time passes, and nothing else happens. */
bool settle_after(int64_t us);

/* Time passes until the next deadline. */
bool settle_when_due(void);

/*
 * A pool in which wanted workers start at once. Every worker takes a client and holds
 * it. Returns how often something was due.
 */
unsigned serve_until(int64_t until);

/* Clients come at once and stay. The pool has a second to grow. */
void hold(unsigned clients);

void leave(unsigned clients);

#endif
