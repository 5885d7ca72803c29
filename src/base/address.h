/*
 * Addresses: from the text a user types to what bind(2) and connect(2) take, and
 * back. Owns no descriptor; looks names up, and does so only here.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "why.h"

#define ADDRESS_TEXT_MAX 128 /* a formatted address, NUL included */
#define ADDRESS_HOST_MAX 64  /* the host in it; with an IPv6 address's interface */
#define ADDRESS_LIST_MAX 16

struct address {
	socklen_t length;
	bool both_families; /* an IPv6 wildcard that takes IPv4 clients too */
	union {
		struct sockaddr sa;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	} any;
};

struct address_list {
	unsigned count;
	struct address at[ADDRESS_LIST_MAX];
};

/*
 * Looks up "host:port", "[v6]:port", ":port" (every address, both families),
 * "unix:/path" or "unix:@name", a name in the abstract namespace (unix(7)). Numbers and
 * "unix:" need no resolver; a name is looked up with getaddrinfo(3), and each of its
 * addresses is listed, in its order (RFC 6724). A link-local IPv6 address has its
 * interface: "[fe80::1%eth0]:port" (RFC 4007).
 *
 * Returns 0; or, with a sentence in why: -EINVAL for malformed text; -ENAMETOOLONG for
 * a UNIX path that does not fit (unix(7)); -EHOSTUNREACH for a name that has no address,
 * or an interface that is not there.
 */
int address_lookup(struct address_list *out, const char *text, struct why *why);

/* The same for a host and a port given apart; host needs no brackets. */
int address_lookup_host(struct address_list *out, const char *host, const char *port,
			struct why *why);

/*
 * Writes the address as the user would type it; always NUL-terminated, and cut to
 * size if need be. A UNIX peer may have any bytes in its name; NUL in an abstract one
 * becomes '@'. One without a name is "unix:".
 */
void address_format(const struct address *address, char *text, size_t size);

/* Writes the host of an IPv4 or IPv6 address, as the user would type it, no brackets. */
void address_format_host(const struct address *address, char text[ADDRESS_HOST_MAX]);

/* Whether the two are the same in every byte. */
bool address_is_same(const struct address *a, const struct address *b);

/*
 * Whether a listener on one is in the way of a listener on the other: the same port, and
 * the same host or, on either side, the wildcard of both. UNIX names must be the same.
 */
bool address_overlaps(const struct address *a, const struct address *b);

/* Takes the address that getsockname(2), getpeername(2) or accept(2) filled in. */
void address_normalize(struct address *address);

static inline int address_family(const struct address *address)
{
	return address->any.sa.sa_family;
}

/* Of a UNIX socket: a name that is no path (unix(7)). */
static inline bool address_is_abstract(const struct address *address)
{
	return address_family(address) == AF_UNIX &&
	       address->length > offsetof(struct sockaddr_un, sun_path) &&
	       address->any.un.sun_path[0] == '\0';
}

/* sin_port and sin6_port are at the same place. A UNIX socket has port 0. */
static inline unsigned address_port(const struct address *address)
{
	return address_family(address) == AF_UNIX ? 0 : ntohs(address->any.in.sin_port);
}

static inline void address_set_port(struct address *address, unsigned port)
{
	if (address_family(address) != AF_UNIX)
		address->any.in.sin_port = htons((in_port_t)port);
}

#endif
