/*
 * What programs leave to the supervisor where --kill-descendants is on, and their monitor
 * could not end, having been killed itself. Children from before the server are not strays.
 *
 * The kernel has told of the death of a parent before the supervisor looks, so a look that
 * finds no stray proves that there is none: a stray that ends stays in the list until it
 * is collected, and its children have become the supervisor's by then.
 */
#ifndef ENGINE_STRAYS_H
#define ENGINE_STRAYS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct processes;
struct report;

struct strays {
	/* Those that are the server's own; NULL: nothing is a stray. */
	const struct processes *processes;
	uint64_t line;    /* what began by then is no stray; children.h */
	int64_t sweep_us; /* when to look for them; CLOCK_NEVER: there are none */
	int64_t pause_us; /* from this look to the next */
};

/* All that live now are no strays. Takes up to 10 ms. */
void strays_open(struct strays *strays, const struct processes *processes);

/* There may be some, or the next generation: to be looked for at once. */
void strays_expect(struct strays *strays);

/* Kills those that there are, if it is time to look. */
void strays_sweep(struct strays *strays, int64_t now_us);

/* Whether there may be some. */
bool strays_may_live(const struct strays *strays);

/* Says in the log which live that could not be ended. */
void strays_report(const struct strays *strays, struct report *report);

#endif
