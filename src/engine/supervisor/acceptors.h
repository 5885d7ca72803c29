/*
 * Serving by workers that take connections from the queue themselves (prong.h,
 * PRONG_ACCEPT_WORKERS). The supervisor watches the queue, and adds up what they count.
 */
#ifndef ENGINE_ACCEPTORS_H
#define ENGINE_ACCEPTORS_H

#include "autoscale.h"
#include "workers.h"

struct listener;

struct acceptors {
	struct workers workers;
	struct listener *listener; /* lent to the workers */
	struct tally *tallies;     /* one for each slot */
	struct autoscale autoscale;
	struct watch watch;
	bool watched;  /* the listener is in the loop */
	bool draining; /* no new clients come */
};

extern const struct model model_acceptors;

#endif
