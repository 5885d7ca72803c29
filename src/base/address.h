/*
 * Addresses: converts the text that a user types to what bind(2) and connect(2) take,
 * and back. Owns no descriptor. All looking up of names is done here.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <sys/socket.h>
#include <sys/un.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "why.h"

#define ADDRESS_TEXT_MAX 128 /* a formatted address, including the NUL */
#define ADDRESS_HOST_MAX 64  /* its host, with the interface of an IPv6 address */
#define ADDRESS_LIST_MAX 16

struct address {
	socklen_t length;
	bool both_families; /* an IPv6 wildcard that also accepts IPv4 clients */
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
 * "unix:" need no resolver. A name is looked up with getaddrinfo(3); all its addresses
 * are listed, in the order of RFC 6724. A link-local IPv6 address needs its interface:
 * "[fe80::1%eth0]:port" (RFC 4007).
 *
 * Returns 0, or with a sentence in why: -EINVAL for malformed text; -ENAMETOOLONG for a
 * UNIX path that does not fit (unix(7)); -EHOSTUNREACH for a name that has no address,
 * or an interface that does not exist.
 */
int address_lookup(struct address_list *out, const char *text, struct why *why);

/* The same for a host and a port given separately; host needs no brackets. */
int address_lookup_host(struct address_list *out, const char *host, const char *port,
			struct why *why);

/*
 * Writes the address as the user would type it, NUL-terminated and cut to size if
 * necessary. The name of a UNIX peer may contain any bytes; NUL in an abstract name
 * becomes '@'. A peer without a name is "unix:".
 */
void address_format(const struct address *address, char *text, size_t size);

/* Writes the host of an IPv4 or IPv6 address as the user would type it, no brackets. */
void address_format_host(const struct address *address, char text[ADDRESS_HOST_MAX]);

/* Whether the two addresses are the same in every byte. */
bool address_is_same(const struct address *a, const struct address *b);

/*
 * Whether a listener on one address keeps another from listening on the other: both
 * have the same port, and the same host or, on either side, the wildcard of both
 * families. UNIX names must be the same.
 */
bool address_overlaps(const struct address *a, const struct address *b);

/*
 * Completes an address that getsockname(2), getpeername(2) or accept(2) filled in: a
 * length over its size is cut, and a v4-mapped address becomes IPv4.
 */
void address_normalize(struct address *address);

static inline int address_family(const struct address *address)
{
	return address->any.sa.sa_family;
}

/* Whether a UNIX socket's name is abstract, not a path (unix(7)). */
static inline bool address_is_abstract(const struct address *address)
{
	return address_family(address) == AF_UNIX &&
	       address->length > offsetof(struct sockaddr_un, sun_path) &&
	       address->any.un.sun_path[0] == '\0';
}

/* sin_port and sin6_port have the same offset. A UNIX socket has port 0. */
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
