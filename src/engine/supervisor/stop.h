/*
 * How things end: the server's stop in its grades, and sessions over their time.
 * Owns the order TERM, then KILL. See prongd(8), SIGNALS.
 */
#ifndef ENGINE_STOP_H
#define ENGINE_STOP_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/record/reason.h"

struct prong;
struct process;

/* Does what the signals that came ask for. */
void obey_signals(struct prong *server);

/* Ends what is over its time: sessions, those told to end, the grace of a stop. */
void enforce_deadlines(struct prong *server);

/* When that is next due; CLOCK_NEVER. */
int64_t stop_deadline(const struct prong *server);

/* Sends SIGTERM to the slot's process group, and SIGKILL half a second later. */
void stop_terminate(struct prong *server, struct process *process, enum reason cut);

/* Kills a worker that broke the rules of its channel; counts as a crash. */
void stop_kill(struct prong *server, struct process *process);

/* A stop was asked for, and its grace is over, or a second request ended it. */
bool stop_is_now(const struct prong *server);

/* A stop was asked for, no client can come, and every process is collected. */
bool stop_is_complete(const struct prong *server);

/* Takes no client any more and kills every process; they are still to be collected. */
void stop_now(struct prong *server);

#endif
