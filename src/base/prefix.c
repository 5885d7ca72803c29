#include "prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "address.h"
#include "number.h"

static unsigned most_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

static void clear_behind(struct prefix_bytes *bytes, unsigned bits)
{
	for (unsigned i = 0; i < sizeof(bytes->at); i++) {
		unsigned keep = bits > 8 * i ? bits - 8 * i : 0;

		if (keep < 8)
			bytes->at[i] &= (unsigned char)(0xff00 >> keep);
	}
}

/* Reads the address before the slash; a v4-mapped one becomes IPv4. */
static int parse_address(struct prefix *prefix, const char *text, bool *mapped)
{
	struct in6_addr ipv6;

	*mapped = false;
	memset(&prefix->bytes, 0, sizeof(prefix->bytes));
	prefix->family = AF_INET;
	if (inet_pton(AF_INET, text, prefix->bytes.at) == 1)
		return 0;
	if (inet_pton(AF_INET6, text, &ipv6) != 1)
		return -EINVAL;
	if (IN6_IS_ADDR_V4MAPPED(&ipv6)) {
		*mapped = true;
		memcpy(prefix->bytes.at, &ipv6.s6_addr[12], 4);
		return 0;
	}
	prefix->family = AF_INET6;
	memcpy(prefix->bytes.at, &ipv6, sizeof(ipv6));
	return 0;
}

static int parse_bits(struct prefix *prefix, const char *slash, bool mapped,
		      const char *text, struct why *why)
{
	unsigned most = most_bits(prefix->family);
	unsigned before = mapped ? 96 : 0; /* the bits that mark it as v4-mapped */
	uint64_t bits = most + before;

	if (slash != NULL && number_parse(slash + 1, before, most + before, &bits) < 0)
		return why_fail(
			why, -EINVAL,
			"\"%.60s\": the prefix length is not a number from %u to %u",
			text, before, most + before);
	prefix->bits = (unsigned)bits - before;
	return 0;
}

int prefix_parse(struct prefix *out, const char *text, struct why *why)
{
	const char *slash = strchr(text, '/');
	size_t length = slash != NULL ? (size_t)(slash - text) : strlen(text);
	char address[INET6_ADDRSTRLEN];
	struct prefix prefix;
	struct prefix whole;
	bool mapped;

	if (strcmp(text, "all") == 0) {
		*out = (struct prefix){ .family = AF_UNSPEC };
		return 0;
	}
	snprintf(address, sizeof(address), "%.*s", (int)length, text);
	if (length >= sizeof(address) || parse_address(&prefix, address, &mapped) < 0)
		return why_fail(why, -EINVAL,
				"\"%.60s\" is not an address, a prefix (192.0.2.0/24, "
				"2001:db8::/32) or \"all\"",
				text);
	if (parse_bits(&prefix, slash, mapped, text, why) < 0)
		return -EINVAL;
	whole = prefix;
	clear_behind(&prefix.bytes, prefix.bits);
	if (memcmp(&whole.bytes, &prefix.bytes, sizeof(whole.bytes)) != 0) {
		inet_ntop(prefix.family, prefix.bytes.at, address, sizeof(address));
		return why_fail(why, -EINVAL,
				"\"%.60s\" has bits set after its prefix: write %s/%u",
				text, address, prefix.bits);
	}
	*out = prefix;
	return 0;
}

static bool take_bytes(struct prefix_bytes *bytes, const struct address *address)
{
	memset(bytes, 0, sizeof(*bytes));
	if (address_family(address) == AF_INET)
		memcpy(bytes->at, &address->any.in.sin_addr, 4);
	else if (address_family(address) == AF_INET6)
		memcpy(bytes->at, &address->any.in6.sin6_addr, 16);
	else
		return false;
	return true;
}

bool prefix_holds(const struct prefix *prefix, const struct address *address)
{
	struct prefix_bytes bytes;

	if (!take_bytes(&bytes, address))
		return false;
	if (prefix->family == AF_UNSPEC)
		return true;
	if (prefix->family != address_family(address))
		return false;
	clear_behind(&bytes, prefix->bits);
	return memcmp(&bytes, &prefix->bytes, sizeof(bytes)) == 0;
}

bool prefix_is_same(const struct prefix *a, const struct prefix *b)
{
	return a->family == b->family && a->bits == b->bits &&
	       memcmp(&a->bytes, &b->bytes, sizeof(a->bytes)) == 0;
}

bool prefix_cut(struct prefix_bytes *out, const struct address *address,
		unsigned ipv4_bits, unsigned ipv6_bits)
{
	struct prefix_bytes bytes;

	if (!take_bytes(&bytes, address))
		return false;
	clear_behind(&bytes,
		     address_family(address) == AF_INET ? ipv4_bits : ipv6_bits);
	*out = bytes;
	return true;
}
