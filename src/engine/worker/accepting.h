/*
 * Workers that accept for themselves (prong.h, PRONG_ACCEPT_WORKERS): how they take a
 * connection, and what they count of it. The supervisor adds their counts up; it takes
 * no more from them than numbers.
 */
#ifndef ENGINE_ACCEPTING_H
#define ENGINE_ACCEPTING_H

#include <sys/types.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/record/reason.h"

struct client;
struct prong;
struct score_row;
struct process;
struct totals;

/* One for each slot, in memory that all share; written by its worker, but for retires. */
struct tally {
	_Alignas(64) _Atomic uint64_t accepted;
	_Atomic uint64_t bytes_in, bytes_out;
	_Atomic uint64_t closed[REASON_COUNT];
	_Atomic bool retires; /* the supervisor wants it to leave when it is free */
};

/* Returns NULL if there is no memory. */
struct tally *tallies_open(unsigned count);
void tallies_close(struct tally *tallies, unsigned count);

/*
 * In a worker, whose own pid that is: waits for a connection on the listener, which
 * blocks, and counts it.
 * Returns 1 with *client filled; 0 when the listener is shut; or a negative errno of
 * accept(2) that is not the client's.
 */
int accepting_take(int listener, pid_t own, struct tally *tally, struct client *client);

/* In a worker: the connection that row tells of has ended. Row then counts anew. */
void accepting_ended(struct tally *tally, struct score_row *row, enum reason reason);

struct accepting_life {
	uint64_t accepted;
	bool open; /* of one of them it has not said how it ended */
};

/*
 * In the supervisor: the worker of slot has ended; what it counted becomes the server's.
 * Returns what its life was.
 */
struct accepting_life accepting_fold(struct prong *server,
				     const struct process *process);

/*
 * In the supervisor: tells the count newest workers to leave after their next connection,
 * and takes that back from all others.
 */
void accepting_retire(struct prong *server, unsigned count);

/* In the supervisor: the server's totals and those of all workers that live. */
struct totals accepting_totals(const struct prong *server);

/* Connections that are being served now, whoever accepted them; INT64_MAX at most. */
int64_t accepting_sessions(const struct prong *server);

#endif
