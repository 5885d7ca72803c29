/*
 * Where the load goes, and which of our addresses it comes from.
 *
 * Owns addresses and the making of sockets. It never waits: all is non-blocking.
 */
#ifndef BENCH_TARGET_H
#define BENCH_TARGET_H

#include <sys/socket.h>
#include <sys/un.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct target {
	const char *text; /* as given; the caller's */
	socklen_t length;
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} any;
};

/* Client addresses in turn: first, first + 1, ... count of them; count 0 is none. */
struct source {
	uint32_t first; /* host byte order */
	uint32_t count;
	uint32_t next;
};

/*
 * Read "127.0.0.1:7007", "[::1]:7007" or "unix:/path".
 * Returns 0 or -EINVAL, and then *out is unspecified. Keeps text.
 */
int target_parse(struct target *out, const char *text);

/* Read "127.0.0.2" or "127.0.0.2/200". Returns 0 or -EINVAL; *out as above. */
int source_parse(struct source *out, const char *text);

/*
 * Make a socket for target: non-blocking, close-on-exec, bound to the next of the
 * source addresses if there are any, with TCP_NODELAY if asked.
 * Returns the descriptor, the caller's, or a negative errno.
 */
int target_socket(const struct target *target, struct source *source, int nodelay);

/*
 * Begin to connect fd. Returns 0 if connected, -EINPROGRESS if under way (then it
 * becomes writable and SO_ERROR tells), -EAGAIN if a unix socket's queue is full and
 * nothing has begun, or another negative errno of connect(2).
 */
int target_connect(const struct target *target, int fd);

/*
 * Whether fd, connected, is connected to itself. Where nothing listens on a port the
 * kernel also gives to clients, connect(2) may pick that very port and succeed.
 */
bool target_is_self(const struct target *target, int fd);

#endif
