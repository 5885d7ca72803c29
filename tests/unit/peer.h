/* Clients' addresses, in the form that accept(2) and address_normalize() give them. */
#ifndef UNIT_PEER_H
#define UNIT_PEER_H

#include "base/address.h"

/* An IP address; a v4-mapped one becomes IPv4. The port is 7. */
struct address peer_at(const char *host);

/* A UNIX socket without a name, as most clients have. */
struct address peer_unix(void);

#endif
