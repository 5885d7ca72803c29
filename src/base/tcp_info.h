/* What TCP itself has counted on a connection (tcp(7), TCP_INFO). */
#ifndef BASE_TCP_INFO_H
#define BASE_TCP_INFO_H

#include <stdbool.h>
#include <stdint.h>

struct traffic {
	uint64_t in_bytes;  /* that the application has read */
	uint64_t out_bytes; /* that it has written */
	int64_t idle_us;    /* since bytes last moved either way */
	int unread_bytes;   /* received, and not read by the application */
	bool unsent;        /* something sent is not acknowledged yet */
	bool ended;         /* the client has ended its sending */
	bool closed;        /* nothing can move either way any more */
};

/*
 * reset: whether it is known to have been reset, since TCP itself does not tell that from
 * an end in order. Returns 0, or a negative errno where TCP does not know, e.g. on a UNIX
 * socket.
 */
int tcp_info_read(int fd, bool reset, struct traffic *out);

/*
 * Whether an error is left on the socket (SO_ERROR, socket(7)), as after a reset. Takes it
 * off, so that the process that has the connection would not hear of it.
 */
bool tcp_info_take_error(int fd);

/* Whether the kernel has nothing left to do for the connection, after a reset, say. */
bool tcp_info_is_closed(int fd);

#endif
