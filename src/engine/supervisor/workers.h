/*
 * Serving by handlers: each connection is handed to a waiting worker, or a worker is
 * forked for it. With reuse 1 each connection gets a fresh process; with more, or
 * always, the workers are a pool.
 */
#ifndef ENGINE_WORKERS_H
#define ENGINE_WORKERS_H

#include "engine/confine/sandbox.h"
#include "model.h"
#include "prong.h"

#define WORKERS_ALLOWANCE_US 500000 /* for a worker to end its session by itself */

struct tally;

struct workers {
	struct model_parts parts;
	pid_t supervisor;
	bool wants_sandbox;
	bool session; /* each worker leads a session of its own */
};

extern const struct model model_workers;

/*
 * What a worker is started with: a client, a channel, or a listener and its tally; -1
 * or NULL: not given.
 */
struct outfit {
	const struct client *client;
	int channel;
	int listener;
	struct tally *tally;
};

/* Forks a worker for the slot. Returns its pid or a negative errno. */
pid_t workers_fork(const struct workers *workers, const struct process *process,
		   const struct outfit *outfit);

/*
 * From now on reads what the worker sends on process->channel. A worker that sends what
 * no worker of ours sends is killed. Returns 0 or a negative errno of epoll_ctl(2).
 */
int workers_hear(struct workers *workers, struct process *process);

/* model.open and model.run, for workers that may be part of another model. */
int workers_open(void *self, const struct model_parts *parts,
		 const struct prong_options *options, struct trial *trial,
		 struct why *why);
int workers_run(void *self, struct listener *listener, int64_t now_us, struct why *why);

/* model.announce: fills in the sandbox. */
void workers_announce(const void *self, struct start *start);

/* model.unbegun: a step of giving up privileges failed. */
enum reason workers_unbegun(void *self, const struct process *process,
			    const struct client *client, int64_t now_us);

/* model.ended, for a worker whose connection, if any, is in process->session. */
unsigned workers_ended(void *self, struct process *process, const siginfo_t *info,
		       int64_t now_us, struct ending *ending);

/* Fills *ending for a worker with which a connection has ended. */
void workers_judge(struct workers *workers, const struct process *process,
		   const siginfo_t *info, int64_t now_us, struct ending *ending);

#endif
