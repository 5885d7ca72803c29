/*
 * The name of an address, as far as it can be believed. Whoever has an address can give it
 * any name in the DNS: "localhost", another host's name, or 10.0.0.1. A program may let
 * clients in by their name, so only a name that its own address confirms is one.
 */
#ifndef ENGINE_HOSTNAME_H
#define ENGINE_HOSTNAME_H

#include <stdbool.h>

#include "base/address.h"

#define HOSTNAME_MAX 254 /* RFC 1035: 253 bytes, and NUL */

/*
 * Whether text can be the name of a host: labels of 1 to 63 letters, digits, hyphens and
 * underscores, with no hyphen at either end; no last label that is a number, since the
 * whole could then be taken for an IPv4 address; and no reserved word: "unknown" and
 * "paranoid" (hosts_access(5)), and, but for a loopback address, "localhost" and names
 * that begin or end with it (RFC 6761).
 */
bool hostname_is_fit(const char *text, bool loopback);

/*
 * Looks up the name of an IPv4 or IPv6 address, and the addresses of that name, of which
 * this one must be one. Blocks as long as the resolver does. name is empty where there is
 * no such name.
 */
void hostname_find(char name[HOSTNAME_MAX], const struct address *address);

#endif
