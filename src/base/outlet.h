/*
 * A descriptor that others may share, written to without ever waiting for its reader.
 * O_NONBLOCK would be set for all that share the open file description (open(2)), so each
 * kind of descriptor has a way of its own:
 *
 *	socket	send(2) with MSG_DONTWAIT
 *	pipe, FIFO, terminal	opened anew by /proc/self/fd, non-blocking
 *	the first two, where that is not permitted	splice(2) with SPLICE_F_NONBLOCK
 *	a terminal, likewise	poll(2) before a short write(2): another process that fills
 *		it in between is waited for
 *	a file	write(2), which waits for no reader; pwritev2(2) with RWF_NOWAIT is refused
 *		by ext4 and tmpfs
 */
#ifndef BASE_OUTLET_H
#define BASE_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum outlet_way {
	OUTLET_WRITE,    /* it does not wait, or cannot be told not to */
	OUTLET_SEND,     /* a socket that keeps no boundaries */
	OUTLET_DATAGRAM, /* one that does: a line each */
	OUTLET_PIPE,     /* non-blocking; whole lines that fit into PIPE_BUF */
	OUTLET_SPLICE,   /* the same by way of a pipe of our own */
	OUTLET_POLL,
};

struct outlet {
	enum outlet_way way;
	int fd;        /* -1: there is none */
	bool owned;    /* fd was opened here */
	int stage[2];  /* a pipe of our own, OUTLET_SPLICE */
	size_t staged; /* bytes at the start of what is still to be written */
};

/* Chooses the way for fd, which stays the caller's; -1 is none. */
void outlet_open(struct outlet *outlet, int fd);

/*
 * Writes from lines, of which each ends in a newline and has PIPE_BUF bytes at most: to a
 * pipe or a datagram socket whole lines, so that those of other processes do not come in
 * between. After a failure the next call must be given the same bytes again.
 * Returns how many bytes are written, or a negative errno: -EAGAIN, where the reader is
 * slow.
 */
ssize_t outlet_write(struct outlet *outlet, const char *lines, size_t length);

/* Waits until outlet_write() may go on, or until deadline_us. */
void outlet_wait(const struct outlet *outlet, int64_t deadline_us);

void outlet_close(struct outlet *outlet);

#endif
