/*
 * What programs leave to the supervisor where --kill-descendants is on, and their monitor
 * could not end, having been killed itself. Children from before the server are not strays.
 */
#ifndef ENGINE_STRAYS_H
#define ENGINE_STRAYS_H

#include <stdint.h>

struct processes;

struct strays {
	const struct processes *processes; /* those that are the server's own */
	uint64_t line; /* what began by then is no stray; children.h */
};

/* All that live now are no strays. Takes up to 10 ms. */
void strays_open(struct strays *strays, const struct processes *processes);

/* Kills them. Their own children become ours in turn, and SIGCHLD tells. */
void strays_kill(const struct strays *strays);

#endif
