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

/* The options that the supervisor and its workers go by; times in microseconds. */
struct settings {
	unsigned spare;
	unsigned reuse;
	enum prong_at_limit at_limit;
	enum prong_refusal refusal;
	bool wants_sandbox;
	const char *refusal_text;
	int64_t idle_timeout, session_timeout, grace, linger;
	int ready_fd;
	int keep_fds;
};

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
	int channel;          /* -1 where nothing comes on it */
	int listener;         /* of one that accepts for itself; else -1 */
	struct tally *tally;  /* what that one counts */
	struct client client; /* whom to serve first; id 0: wait on the channel */
};

/* What the supervisor sends with a connection's descriptor, and the worker answers. */
struct handover {
	uint64_t id;
	int64_t accepted_at;
	struct address peer;
};

struct completion {
	unsigned char reason; /* enum reason */
};

/*
 * What every child of the supervisor does first: it dies with the supervisor, and makes
 * a process group of its own. Leaves the process if the supervisor is gone already.
 */
void worker_detach(pid_t supervisor);

/* Closes the descriptors from first up but a and b (-1: none), or leaves the process. */
void worker_close_others(int first, int a, int b);

/*
 * Serves the worker's client, then others from its channel, until settings.reuse is
 * used up or the supervisor closes the channel.
 */
_Noreturn void worker_main(struct worker *worker);

#endif
