/* Two ends of one connection, both in this process, blocking. */
#ifndef UNIT_PAIR_H
#define UNIT_PAIR_H

#include <stddef.h>

struct pair {
	int server; /* the end that a handler would have */
	int client;
};

struct pair pair_tcp(void);  /* over 127.0.0.1 */
struct pair pair_unix(void); /* of socketpair(2) */

/* Closes the ends that are still open (not -1). */
void pair_close(struct pair *pair);

/* Closes the client's end so that the server's end sees a reset. */
void pair_reset(struct pair *pair);

/* Reads until the end; returns how many bytes came, or a negative errno. */
long pair_drain(int fd);

/* Reads exactly size bytes, or fails the test. */
void pair_read(int fd, void *buffer, size_t size);

#endif
