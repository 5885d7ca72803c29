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
 * All that a worker knows. It lies on the supervisor's stack at the fork, a page that
 * both touch anyway; the rest of the supervisor's memory is not in its children.
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
	bool session;         /* it leads one of its own, not a process group alone */
	int channel;          /* -1 where nothing comes on it */
	int listener;         /* of one that accepts for itself; else -1 */
	struct tally *tally;  /* what that one counts */
	struct client client; /* whom to serve first; id 0: wait on the channel */
};

/*
 * Serves the worker's client, then others from its channel, until settings.reuse is
 * used up or the supervisor closes the channel.
 */
_Noreturn void worker_main(struct worker *worker);

#endif
