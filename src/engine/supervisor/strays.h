/*
 * Descendants of programs that become the supervisor's children: with
 * --kill-descendants, if their monitor was killed and could not end them. Children from
 * before the server are not strays.
 *
 * The kernel has reported the death of a parent before the supervisor looks, so a look
 * that finds no stray proves that there is none: a stray that ends stays in the list
 * until it is reaped, and its children are the supervisor's by then.
 */
#ifndef ENGINE_STRAYS_H
#define ENGINE_STRAYS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct processes;
struct report;

struct strays {
	/* The server's own processes; NULL: nothing is a stray. */
	const struct processes *processes;
	uint64_t line;    /* what began by then is not a stray; children.h */
	int64_t sweep_us; /* when to look for them; CLOCK_NEVER: there are none */
	int64_t pause_us; /* from this look to the next */
};

/* Children that live now are not strays. Takes up to 10 ms. */
void strays_open(struct strays *strays, const struct processes *processes);

/* There may be strays, or their children: looks for them at once. */
void strays_expect(struct strays *strays);

/* Kills those that it finds, if it is time to look. */
void strays_sweep(struct strays *strays, int64_t now_us);

/* Whether there may be strays. */
bool strays_may_live(const struct strays *strays);

/* Logs those that could not be ended. */
void strays_report(const struct strays *strays, struct report *report);

#endif
