/* Clients' addresses, as accept(2) and address_normalize() leave them. */
#ifndef UNIT_PEER_H
#define UNIT_PEER_H

#include "base/address.h"

/* Of an IP address; a v4-mapped one becomes IPv4. The port is 7. */
struct address peer_at(const char *host);

/* Of a UNIX socket, without a name, as clients mostly are. */
struct address peer_unix(void);

#endif
