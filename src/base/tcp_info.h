/* What TCP itself has counted on a connection (tcp(7), TCP_INFO). */
#ifndef BASE_TCP_INFO_H
#define BASE_TCP_INFO_H

#include <stdbool.h>
#include <stdint.h>

struct traffic {
	uint64_t in_bytes;  /* that the application has read */
	uint64_t out_bytes; /* that it has written */
	int64_t idle_us;    /* since bytes last moved either way */
	bool reset; /* it ended by an error; the question takes that off the socket */
};

/* Returns 0, or a negative errno where TCP does not know, e.g. on a UNIX socket. */
int tcp_info_read(int fd, struct traffic *out);

#endif
