/* What TCP itself has counted on a connection (tcp(7), TCP_INFO). */
#ifndef BASE_TCP_INFO_H
#define BASE_TCP_INFO_H

#include <stdbool.h>
#include <stdint.h>

struct traffic {
	uint64_t in_bytes;  /* bytes that the application has read */
	uint64_t out_bytes; /* bytes that it has written */
	int64_t idle_us;    /* time since bytes last moved in either direction */
	int unread_bytes;   /* received, and not read by the application */
	bool unsent;        /* something that was sent is not acknowledged yet */
	bool ended;         /* the client has ended its sending */
	bool closed;        /* no byte can move in either direction any more */
};

/*
 * reset: whether the connection is known to have been reset, since TCP does not
 * distinguish that from an orderly end. Returns 0, or a negative errno where TCP does
 * not know, for example on a UNIX socket.
 */
int tcp_info_read(int fd, bool reset, struct traffic *out);

/*
 * Whether an error is pending on the socket (SO_ERROR, socket(7)), as after a reset.
 * Clears it, so that the process that has the connection no longer sees it.
 */
bool tcp_info_take_error(int fd);

/* Whether the kernel has finished with the connection, for example after a reset. */
bool tcp_info_is_closed(int fd);

#endif
