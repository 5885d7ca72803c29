/*
 * How many workers that accept for themselves there are: settings.spare, and more while
 * clients wait and none of those comes free. The supervisor sees the queue; it is woken
 * by it ten times a second at most, and not at all while nobody comes.
 */
#ifndef ENGINE_SIZING_H
#define ENGINE_SIZING_H

#include <stdbool.h>
#include <stdint.h>

struct prong;

/* Before the loop. */
void sizing_start(struct prong *server);

/* There was an event: somebody is in the queue, or just was. */
void sizing_heard(struct prong *server);

/* Does what is due. */
void sizing_settle(struct prong *server);

/* No more workers are to come. */
void sizing_stop(struct prong *server);

/* When something is next due; CLOCK_NEVER: after an event. */
int64_t sizing_deadline(const struct prong *server);

#endif
