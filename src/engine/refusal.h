/*
 * Clients who are told to go: a text, then a close that lets the text arrive. The
 * supervisor does this itself, so at most REFUSALS_MAX are kept, each for at most
 * REFUSAL_PATIENCE; when that is too few, the oldest is closed early.
 */
#ifndef ENGINE_REFUSAL_H
#define ENGINE_REFUSAL_H

#include <stdint.h>

#define REFUSALS_MAX     64
#define REFUSAL_PATIENCE 1000000 /* microseconds */

struct prong;

struct refusals {
	struct {
		int fd; /* -1: free */
		int64_t until;
	} at[REFUSALS_MAX];
	unsigned next; /* the place used longest ago; places are used in turn */
	unsigned count;
};

void refusals_open(struct refusals *refusals);

/*
 * Says text (NULL: nothing) on fd and closes it, when the client has had time to read
 * it. fd is this file's from then on.
 */
void refusal_start(struct prong *server, int fd, const char *text, int64_t now);

/* The same, but closes fd at once: the text may be lost. */
void refusal_now(int fd, const char *text);

/* An epoll event came for place index: the client has sent something, or left. */
void refusal_event(struct prong *server, unsigned index);

/* Closes those whose time is over. */
void refusals_expire(struct prong *server, int64_t now);

/* When that is next to be done; CLOCK_NEVER if there are none. */
int64_t refusals_deadline(const struct refusals *refusals);

/* Closes all. */
void refusals_close(struct prong *server);

#endif
