/* Adds up what workers that accept for themselves have counted; accepting.h. */
#ifndef ENGINE_TALLY_H
#define ENGINE_TALLY_H

#include "engine/worker/accepting.h"
#include "process.h"

/* Tallies for count processes, in memory that all share; NULL: no memory. */
struct tally *tallies_open(unsigned count);
void tallies_close(struct tally *tallies, unsigned count);

/* Adds the first count tallies to totals. */
void tallies_add(const struct tally *tallies, unsigned count, struct totals *totals);

/* What a worker has done in its whole life. */
struct tally_life {
	uint64_t accepted;
	bool open; /* it has not reported how the last one ended */
};

/* Its worker has ended: moves its counts to totals. */
struct tally_life tally_fold(struct tally *tally, struct totals *totals);

/*
 * Tells the count newest of the accepting processes to leave after their next
 * connection, and all others to stay.
 */
void tallies_retire(struct tally *tallies, const struct processes *processes,
		    unsigned count);

#endif
