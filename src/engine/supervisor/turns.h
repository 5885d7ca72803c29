/*
 * Which listener gives the next client: those that have clients take turns, one client
 * each, so that a crowd at one of them keeps no client of another waiting for longer than
 * it takes to serve one client of each. Listeners are known by their numbers here.
 */
#ifndef ENGINE_TURNS_H
#define ENGINE_TURNS_H

#include <stdint.h>

#define TURNS_MAX 64 /* listeners: the bits of a word */

struct turns {
	uint64_t waiting; /* a bit for each listener that may have a client */
	unsigned next;    /* the number of the one whose turn it is */
};

/* The bit of a listener in a set of them. */
static inline uint64_t turns_bit(unsigned index)
{
	return UINT64_C(1) << index;
}

/* The listener whose turn it is, of those that may have a client: there is one. */
unsigned turns_first(const struct turns *turns);

/* The listener has given a client, or failed to: the turn goes to those after it. */
void turns_pass(struct turns *turns, unsigned index);

/* The listener has no client, and keeps no turn for later. */
void turns_drop(struct turns *turns, unsigned index);

#endif
