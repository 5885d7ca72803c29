/*
 * What has an address that bind(2) would not give because it is in use: a server, or a
 * connection, since the kernel gives clients ports, too. Looks at /proc/net/tcp and
 * /proc/net/tcp6 (proc_net(5)), which show the sockets of all users.
 */
#ifndef BASE_OCCUPANT_H
#define BASE_OCCUPANT_H

#include "address.h"

enum occupant {
	OCCUPANT_UNKNOWN,    /* the tables cannot be read */
	OCCUPANT_NONE,       /* a socket that is bound only is in no table */
	OCCUPANT_CONNECTION, /* none listens there, but a connection has the port */
	OCCUPANT_SERVER,     /* a socket listens there */
};

/* A line of the tables. */
struct occupant_line {
	struct address local, remote;
	unsigned state; /* TCP_LISTEN and the like, tcp_states.h of the kernel */
};

/*
 * Looks for what is in the way of a TCP address. Of a connection, line receives both
 * ends; else it is untouched.
 */
enum occupant occupant_find(const struct address *address, struct occupant_line *line);

/* Reads a line of the tables. Returns whether it was one. */
bool occupant_parse(const char *text, struct occupant_line *line);

#endif
