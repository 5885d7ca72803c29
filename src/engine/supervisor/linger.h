/*
 * Connections that nobody serves any more but that cannot be closed yet: closing one
 * with input unread would make the kernel send RST, and the client would lose what it
 * was sent last (RFC 1122, 4.2.2.13). The supervisor half-closes them, reads on for a
 * bounded time and size, and closes. When there are more than FAREWELLS_MAX, the
 * oldest is closed early.
 */
#ifndef ENGINE_LINGER_H
#define ENGINE_LINGER_H

#include <stdbool.h>
#include <stdint.h>

#define LINGER_MAX   1024
#define LINGER_BYTES (1024 * 1024) /* read from a client before it is closed */

struct prong;

struct lingering {
	struct {
		int fd; /* -1: free */
		int unread;
		int64_t until;
	} at[LINGER_MAX];
	unsigned next; /* the place used longest ago; places are used in turn */
	unsigned count;
};

void linger_open(struct lingering *lingering);

/*
 * Half-closes fd and closes it when the client has ended its sending, at the latest
 * after patience (microseconds). fd is this file's from then on.
 */
void linger_start(struct prong *server, int fd, int64_t patience, int64_t now);

/*
 * Closes a connection that a program has had. With the SO_LINGER that it may have set,
 * close(2) would wait for its client: socket(7), tcp(7).
 */
void linger_close_fd(int fd);

/* An epoll event came for place index: the client has sent something, or left. */
void linger_event(struct prong *server, unsigned index);

/* Closes those whose time is over. */
void linger_expire(struct prong *server, int64_t now);

/* Closes the oldest now, for its descriptor. Returns false if there are none. */
bool linger_cut_short(struct prong *server);

/* When that is next to be done; CLOCK_NEVER if there are none. */
int64_t linger_deadline(const struct lingering *lingering);

/* Closes all. */
void linger_close(struct prong *server);

#endif
