/*
 * A worker that takes connections from the queue itself (prong.h,
 * PRONG_ACCEPT_WORKERS): how it takes one, and what it counts. The supervisor adds
 * these counts up; it reads nothing else from them.
 */
#ifndef ENGINE_ACCEPTING_H
#define ENGINE_ACCEPTING_H

#include <sys/types.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/record/reason.h"

struct client;
struct score_row;

/*
 * One for each process, in memory that all share. Only its worker writes it, except
 * retires.
 */
struct tally {
	_Alignas(64) _Atomic uint64_t accepted;
	_Atomic uint64_t bytes_in, bytes_out;
	_Atomic uint64_t closed[REASON_COUNT];
	_Atomic bool retires; /* set by the supervisor: leave after this connection */
};

/*
 * Waits for a connection on the listener, which blocks, and counts it. own is the pid
 * of the calling process. Returns 1 with *client filled; 0 when the listener is shut;
 * or a negative errno of accept(2) after many failures in a row, over more than a
 * second, unless all of them were the clients'.
 */
int accepting_take(int listener, pid_t own, struct tally *tally, struct client *client);

/* The connection of row has ended. The row then counts from 0 again. */
void accepting_ended(struct tally *tally, struct score_row *row, enum reason reason);

#endif
