/*
 * Address prefixes: "192.0.2.0/24", "2001:db8::/32", a single address, or "all". Owns
 * nothing and looks nothing up. A v4-mapped text means the IPv4 prefix; an address must
 * have gone through address_normalize().
 */
#ifndef BASE_PREFIX_H
#define BASE_PREFIX_H

#include <stdbool.h>

#include "why.h"

struct address;

/* The bytes of an IP address, padded with zeros so that both families compare alike. */
struct prefix_bytes {
	unsigned char at[16];
};

struct prefix {
	int family;    /* AF_INET or AF_INET6; AF_UNSPEC: every address of both */
	unsigned bits; /* 0 to 32, or to 128 */
	struct prefix_bytes bytes; /* no bit is set after the first bits */
};

/*
 * Reads a prefix. Bits set after its length are an error: "10.0.0.1/8" may mean the
 * host or the network. Returns 0, or -EINVAL with a sentence in why.
 */
int prefix_parse(struct prefix *out, const char *text, struct why *why);

/* Whether the prefix contains an IP address; it contains no UNIX address. */
bool prefix_holds(const struct prefix *prefix, const struct address *address);

bool prefix_is_same(const struct prefix *a, const struct prefix *b);

/*
 * Takes the first bits of an IP address: ipv4_bits or ipv6_bits, according to its
 * family. Returns false, with *out untouched, for a UNIX address.
 */
bool prefix_cut(struct prefix_bytes *out, const struct address *address,
		unsigned ipv4_bits, unsigned ipv6_bits);

#endif
