/*
 * The life of a worker process, from the fork to _exit(2). Everything here runs in
 * the child; nothing of the supervisor's is used but its settings and the row of
 * the scoreboard.
 */
#ifndef ENGINE_WORKER_H
#define ENGINE_WORKER_H

#include "client.h"

struct prong;

/* What the supervisor sends with a connection's descriptor, and the worker answers. */
struct assignment {
	uint64_t id;
	int64_t accepted_at;
	struct address peer;
};

struct verdict {
	unsigned char reason; /* enum reason */
};

/*
 * Serves client (NULL: waits for one on channel first), then others from channel
 * until settings.reuse is used up or the supervisor closes it. channel is -1 where
 * one connection is all that comes. row is the index in the scoreboard.
 */
_Noreturn void worker_main(struct prong *server, unsigned row, int channel,
			   const struct client *client);

#endif
