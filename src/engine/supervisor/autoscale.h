/*
 * How many workers that accept for themselves there are: settings.spare, and more where
 * clients have waited too long. The supervisor sees the queue. Where somebody comes it
 * wakes for that a few times in a tenth of a second, and not at all where nobody does. It
 * rests on what workers say of themselves: one that lies makes there be up to slots.max
 * of them, or no more than there are; nothing else.
 */
#ifndef ENGINE_AUTOSCALE_H
#define ENGINE_AUTOSCALE_H

#include <stdbool.h>
#include <stdint.h>

struct prong;

/* Before the loop, for any server. */
void autoscale_start(struct prong *server);

/* There was an event: somebody is in the queue, or just was. */
void autoscale_heard(struct prong *server);

/* Looks at the queue if it is time to, and changes how many workers are wanted. */
void autoscale_settle(struct prong *server);

/* At the stop: the listener is not in the epoll set after that, and no more are wanted. */
void autoscale_stop(struct prong *server);

/* When something is next due; CLOCK_NEVER: after an event. */
int64_t autoscale_deadline(const struct prong *server);

#endif
