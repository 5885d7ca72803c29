/*
 * Connections that no process serves any more but that cannot be closed yet. Closing
 * one with input unread would make the kernel send RST, and the client would lose what
 * it was sent last (RFC 1122, 4.2.2.13). The supervisor half-closes them, reads on for
 * a limited time and size, and closes them. When there are more than LINGER_MAX, the
 * oldest is closed early.
 */
#ifndef ENGINE_LINGER_H
#define ENGINE_LINGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"

#define LINGER_MAX 1024

struct lingering {
	struct loop *loop;
	size_t most_bytes; /* read from a client before it is closed */
	struct {
		int fd; /* -1: free */
		size_t unread_bytes;
		int64_t until_us;
		struct watch watch;
	} at[LINGER_MAX];
	unsigned next; /* the place used longest ago; places are used in turn */
	unsigned count;
	unsigned pending;   /* connections that may still come here; leftover.h */
	bool over;          /* there is no time left: each is closed at once */
	char unread[16384]; /* receives what UNIX sockets discard; no child has it */
};

void linger_open(struct lingering *lingering, struct loop *loop, size_t most_bytes);

/*
 * Half-closes fd, and closes it when the client has ended its sending, or at the latest
 * after patience_us. fd belongs to this part from then on.
 */
void linger_start(struct lingering *lingering, int fd, int64_t patience_us,
		  int64_t now_us);

/*
 * Closes a connection that a program has had. If the program has set SO_LINGER, a plain
 * close(2) would wait for its client: socket(7), tcp(7).
 */
void linger_close_fd(int fd);

/* Closes those whose time is over. */
void linger_expire(struct lingering *lingering, int64_t now_us);

/* When it must close one next; CLOCK_NEVER: there are none. */
int64_t linger_deadline(const struct lingering *lingering);

/* Closes the oldest now, to free its descriptor. Returns false if there are none. */
bool linger_cut_short(struct lingering *lingering);

/* Closes all, and from now on closes every connection at once. */
void linger_finish(struct lingering *lingering);

#endif
