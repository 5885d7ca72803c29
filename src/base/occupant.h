/*
 * What uses an address for which bind(2) gives EADDRINUSE: a server, or a connection,
 * since the kernel gives ports to clients too. Reads /proc/net/tcp and /proc/net/tcp6
 * (proc_net(5)), which show the sockets of all users.
 */
#ifndef BASE_OCCUPANT_H
#define BASE_OCCUPANT_H

#include "address.h"

enum occupant {
	OCCUPANT_UNKNOWN,    /* the tables cannot be read */
	OCCUPANT_NONE,       /* a socket that is only bound is in no table */
	OCCUPANT_CONNECTION, /* no server listens; a connection has the port */
	OCCUPANT_SERVER,     /* a socket listens there */
};

/* A line of the tables. */
struct occupant_line {
	struct address local, remote;
	unsigned state; /* TCP_LISTEN and the like, tcp_states.h of the kernel */
};

/*
 * Looks for what uses a TCP address. If it is a connection, line receives both ends;
 * otherwise line is untouched.
 */
enum occupant occupant_find(const struct address *address, struct occupant_line *line);

/* Reads a line of the tables. Returns whether it was one. */
bool occupant_parse(const char *text, struct occupant_line *line);

#endif
