/*
 * The name of an address, if it can be trusted. The owner of an address can give it any
 * name in the DNS: "localhost", another host's name, or 10.0.0.1. A program may admit
 * clients by their name, so a name counts only if it has that address in turn.
 */
#ifndef ENGINE_HOSTNAME_H
#define ENGINE_HOSTNAME_H

#include <stdbool.h>

#include "base/address.h"

#define HOSTNAME_MAX 254 /* RFC 1035: 253 bytes, and NUL */

/*
 * Whether text can be the name of a host. It consists of labels of 1 to 63 letters,
 * digits, hyphens and underscores, with no hyphen at either end. Its last label is not
 * a number, since the whole could then be taken for an IPv4 address. It is not a
 * reserved word: "unknown", "paranoid" (hosts_access(5)) or, except for a loopback
 * address, "localhost" or a name that begins or ends with it (RFC 6761).
 */
bool hostname_is_fit(const char *text, bool loopback);

/*
 * Looks up the name of an IPv4 or IPv6 address, and then the addresses of that name,
 * which must include this one. Blocks as long as the resolver does. name is empty if
 * there is no such name.
 */
void hostname_find(char name[HOSTNAME_MAX], const struct address *address);

#endif
