/*
 * Chooses the listener that gives the next client. Listeners that have clients take
 * turns, one client each: a crowd at one of them delays a client of another only by the
 * time that one client of each takes. Listeners are known by their numbers here.
 */
#ifndef ENGINE_TURNS_H
#define ENGINE_TURNS_H

#include <stdint.h>

#define TURNS_MAX 64 /* listeners: the bits of a word */

struct turns {
	uint64_t waiting; /* a bit for each listener that may have a client */
	unsigned next;    /* the listener whose turn it is */
};

/* The bit of a listener in a set of them. */
static inline uint64_t turns_bit(unsigned index)
{
	return UINT64_C(1) << index;
}

/*
 * The listener whose turn it is, among those that may have a client; there must be one.
 */
unsigned turns_first(const struct turns *turns);

/* The listener has given a client, or failed to: the turn passes on. */
void turns_pass(struct turns *turns, unsigned index);

/* The listener has no client; it is not asked again until it may have one. */
void turns_drop(struct turns *turns, unsigned index);

#endif
