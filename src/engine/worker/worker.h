/*
 * The life of a worker process, from the fork to _exit(2). Everything here runs in
 * the child.
 */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include <sys/types.h>

#include "engine/record/client.h"
#include "prong.h"
#include "engine/confine/sandbox.h"
#include "engine/record/scoreboard.h"
#include "engine/record/settings.h"

/*
 * Everything that a worker knows. At the fork it is on the supervisor's stack, in a
 * page that both touch anyway; the rest of the supervisor's memory is not in its
 * children.
 */
struct worker {
	struct settings settings;
	prong_handler *handler;
	void *arg;
	const struct privileges *privileges;
	struct sandbox sandbox;
	struct score_row *row;
	struct score_mark mark;
	pid_t supervisor;
	bool session;         /* it leads a session of its own, not only a group */
	int channel;          /* -1: no clients come over a channel */
	int listener;         /* of a worker that accepts for itself; else -1 */
	struct tally *tally;  /* the counts of such a worker */
	struct client client; /* the first client; id 0: wait on the channel */
};

/*
 * Serves the worker's client, then others from its channel, until settings.reuse is
 * used up or the supervisor closes the channel.
 */
_Noreturn void worker_main(struct worker *worker);

#endif
