/*
 * Writes to a descriptor that other processes may share, without ever waiting for its
 * reader. O_NONBLOCK would be set for all processes that share the open file
 * description (open(2)), so each kind of descriptor has its own way:
 *
 *	socket	send(2) with MSG_DONTWAIT
 *	pipe, FIFO, terminal	opened again through /proc/self/fd, non-blocking
 *	the first two, if that is not permitted	splice(2) with SPLICE_F_NONBLOCK
 *	a terminal, likewise	poll(2) before a short write(2): if another one fills
 *		it in between, the write waits
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
	OUTLET_WRITE,    /* it does not block, or blocking cannot be avoided */
	OUTLET_SEND,     /* a socket that does not keep message boundaries */
	OUTLET_DATAGRAM, /* one that keeps them: each message is a line */
	OUTLET_PIPE,     /* non-blocking; whole lines that fit into PIPE_BUF */
	OUTLET_SPLICE,   /* the same through a pipe of our own */
	OUTLET_POLL,
};

struct outlet {
	enum outlet_way way;
	int fd;        /* -1: no descriptor */
	bool owned;    /* fd was opened here */
	int stage[2];  /* a pipe of our own, OUTLET_SPLICE */
	size_t staged; /* bytes in stage, the first of those still to be written */
};

/* Chooses the way for fd, which stays the caller's; -1: no descriptor. */
void outlet_open(struct outlet *outlet, int fd);

/*
 * Writes from lines. Each line ends in a newline and has at most PIPE_BUF bytes; to a
 * pipe or a datagram socket only whole lines are written, so that lines of other
 * processes are not mixed in. After a failure the next call must be given the same
 * bytes again. Returns how many bytes were written, or a negative errno; -EAGAIN if the
 * reader is slow.
 */
ssize_t outlet_write(struct outlet *outlet, const char *lines, size_t length);

/* Waits until outlet_write() can write more, or until deadline_us. */
void outlet_wait(const struct outlet *outlet, int64_t deadline_us);

void outlet_close(struct outlet *outlet);

#endif
