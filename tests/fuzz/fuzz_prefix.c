/* Prefixes of --allow and --deny. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/prefix.h"
#include "fuzz.h"

/* A client that has these bytes as its address. */
static struct address client(int family, const struct prefix_bytes *bytes)
{
	struct address address = { .any.sa.sa_family = (sa_family_t)family };

	if (family == AF_INET)
		memcpy(&address.any.in.sin_addr, bytes->at, 4);
	else
		memcpy(&address.any.in6.sin6_addr, bytes->at, 16);
	return address;
}

/* A prefix holds its first address, but not one that differs in its last bit. */
static void check_holds(const struct prefix *prefix)
{
	struct address inside = client(prefix->family, &prefix->bytes), outside;
	struct prefix_bytes cut, bytes = prefix->bytes;
	unsigned last = prefix->bits - 1;

	CHECK(prefix_holds(prefix, &inside));
	CHECK(prefix_cut(&cut, &inside, prefix->bits, prefix->bits));
	CHECK(memcmp(&cut, &prefix->bytes, sizeof(cut)) == 0);
	if (prefix->bits == 0)
		return;
	bytes.at[last / 8] ^= (unsigned char)(0x80 >> last % 8);
	outside = client(prefix->family, &bytes);
	CHECK(!prefix_holds(prefix, &outside));
}

static void check_prefix(const struct prefix *prefix)
{
	char address[INET6_ADDRSTRLEN], text[64];
	struct prefix again;
	struct why why;

	if (prefix->family == AF_UNSPEC)
		return;
	CHECK(prefix->bits <= (prefix->family == AF_INET ? 32 : 128));
	check_holds(prefix);
	inet_ntop(prefix->family, prefix->bytes.at, address, sizeof(address));
	snprintf(text, sizeof(text), "%s/%u", address, prefix->bits);
	/* "::ffff:0.0.0.0/96" is an IPv4 prefix; no IPv6 prefix is written like it. */
	CHECK(prefix_parse(&again, text, &why) == 0);
	CHECK(prefix_is_same(prefix, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct why why = { "" };
	struct prefix prefix;

	if (prefix_parse(&prefix, text, &why) == 0)
		check_prefix(&prefix);
	else
		CHECK(strlen(why.text) > 0 && strlen(why.text) < WHY_MAX);
	free(text);
	return 0;
}
