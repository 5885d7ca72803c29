#include "base/prefix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/address.h"
#include "check.h"
#include "peer.h"

#define D10  "1111111111"
#define D100 D10 D10 D10 D10 D10 D10 D10 D10 D10 D10
#define D300 D100 D100 D100

static struct prefix parsed(const char *text)
{
	struct prefix prefix;
	struct why why = { "" };

	if (prefix_parse(&prefix, text, &why) < 0)
		fail_msg("%s", why.text);
	return prefix;
}

static const struct {
	const char *text;
	int family;
	unsigned bits;
	const char *network;
} good[] = {
	{ "all", AF_UNSPEC, 0, "" },
	{ "192.0.2.1", AF_INET, 32, "192.0.2.1" },
	{ "192.0.2.1/32", AF_INET, 32, "192.0.2.1" },
	{ "192.0.2.2/31", AF_INET, 31, "192.0.2.2" },
	{ "10.0.0.0/8", AF_INET, 8, "10.0.0.0" },
	{ "10.0.0.0/008", AF_INET, 8, "10.0.0.0" },
	{ "128.0.0.0/1", AF_INET, 1, "128.0.0.0" },
	{ "0.0.0.0/0", AF_INET, 0, "0.0.0.0" },
	{ "0.0.0.0", AF_INET, 32, "0.0.0.0" },
	{ "255.255.255.255", AF_INET, 32, "255.255.255.255" },
	{ "::", AF_INET6, 128, "::" },
	{ "::/0", AF_INET6, 0, "::" },
	{ "8000::/1", AF_INET6, 1, "8000::" },
	{ "2001:db8::/32", AF_INET6, 32, "2001:db8::" },
	{ "2001:DB8:0:0:0:0:0:1", AF_INET6, 128, "2001:db8::1" },
	{ "::2/127", AF_INET6, 127, "::2" },
	{ "::1/128", AF_INET6, 128, "::1" },
	{ "::ffff:192.0.2.1", AF_INET, 32, "192.0.2.1" },
	{ "::ffff:c000:201/128", AF_INET, 32, "192.0.2.1" },
	{ "::FFFF:192.0.2.0/120", AF_INET, 24, "192.0.2.0" },
	{ "::ffff:0:0/96", AF_INET, 0, "0.0.0.0" },
	/*
	 * These look like v4-mapped ones but are not: RFC 4291, 2.5.5.1, and RFC 2765.
	 */
	{ "::192.0.2.1", AF_INET6, 128, "::192.0.2.1" },
	{ "::ffff:0:192.0.2.1", AF_INET6, 128, "::ffff:0:c000:201" },
	/* The longest text of an address. */
	{ "0000:0000:0000:0000:0000:ffff:255.255.255.255/128", AF_INET, 32,
	  "255.255.255.255" },
};

static void prefixes_are_read(void **state)
{
	static const unsigned char zeros[16];

	(void)state;
	for (size_t i = 0; i < COUNT(good); i++) {
		char network[INET6_ADDRSTRLEN] = "";
		struct prefix prefix;

		print_message("# \"%s\"\n", good[i].text);
		prefix = parsed(good[i].text);
		assert_int_equal(prefix.family, good[i].family);
		assert_int_equal(prefix.bits, good[i].bits);
		inet_ntop(prefix.family, prefix.bytes.at, network, sizeof(network));
		assert_string_equal(network, good[i].network);
		if (prefix.family == AF_INET)
			assert_memory_equal(prefix.bytes.at + 4, zeros, 12);
	}
}

static const char no_prefix[] = "is not an address, a prefix (192.0.2.0/24";
static const char to_32[] = "not a number from 0 to 32";
static const char to_128[] = "not a number from 0 to 128";
static const char mapped_bits[] = "not a number from 96 to 128";

static const struct {
	const char *text, *says;
} bad[] = {
	{ "", no_prefix },
	{ " ", no_prefix },
	{ "/", no_prefix },
	{ "/8", no_prefix },
	{ "ALL", no_prefix },
	{ "all/0", no_prefix },
	{ "all ", no_prefix },
	{ " all", no_prefix },
	{ "any", no_prefix },
	{ "*", no_prefix },
	{ "localhost", no_prefix },
	{ "unix:/run/x", no_prefix },
	{ "-1.2.3.4", no_prefix },
	{ "+1.2.3.4", no_prefix },
	{ " 1.2.3.4", no_prefix },
	{ "1.2.3.4 ", no_prefix },
	{ "1.2.3.4 /32", no_prefix },
	{ "1.2.3.4\n", no_prefix },
	{ "1.2.3.4,1.2.3.5", no_prefix },
	{ "1.2.3", no_prefix },
	{ "10/8", no_prefix },
	{ "1.2.3.4.5", no_prefix },
	{ "256.0.0.0/8", no_prefix },
	{ "010.0.0.0/8", no_prefix },
	{ "0x0a.0.0.0/8", no_prefix },
	{ "1.2.3.4:80", no_prefix },
	{ "[::1]", no_prefix },
	{ ":::", no_prefix },
	{ "1::2::3", no_prefix },
	{ "12345::", no_prefix },
	{ "fe80::1%lo", no_prefix },
	{ "0000:0000:0000:0000:0000:ffff:255.255.255.2550", no_prefix },
	{ D300, no_prefix },
	{ "1.2.3.4/", to_32 },
	{ "1.2.3.4//", to_32 },
	{ "1.2.3.4/33", to_32 },
	{ "1.2.3.4/033", to_32 },
	{ "1.2.3.4/-1", to_32 },
	{ "1.2.3.4/+32", to_32 },
	{ "1.2.3.4/ 32", to_32 },
	{ "1.2.3.4/32 ", to_32 },
	{ "1.2.3.4/32\n", to_32 },
	{ "1.2.3.4/32/32", to_32 },
	{ "1.2.3.4/0x20", to_32 },
	{ "1.2.3.4/3.2", to_32 },
	{ "1.2.3.4/all", to_32 },
	{ "10.0.0.0/255.0.0.0", to_32 },
	{ "0.0.0.0/18446744073709551616", to_32 },
	{ "1.2.3.4/" D300, to_32 },
	{ "::/", to_128 },
	{ "::/129", to_128 },
	{ "::/-0", to_128 },
	{ "::ffff:0:0/0", mapped_bits },
	{ "::ffff:0:0/95", mapped_bits },
	{ "::ffff:1.2.3.4/32", mapped_bits },
	{ "::ffff:1.2.3.4/129", mapped_bits },
	{ "::ffff:1.2.3.4/", mapped_bits },
	{ "10.0.0.1/8", "bits set after its prefix: write 10.0.0.0/8" },
	{ "128.0.0.0/0", "write 0.0.0.0/0" },
	{ "192.0.2.1/31", "write 192.0.2.0/31" },
	{ "2001:db8::1/64", "write 2001:db8::/64" },
	{ "8000::/0", "write ::/0" },
	{ "::1/127", "write ::/127" },
	{ "::ffff:192.0.2.1/120", "write 192.0.2.0/24" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/127", "ffff:fffe/127" },
};

static void what_is_no_prefix_is_refused_with_a_reason(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(bad); i++) {
		struct why why = { "" };
		struct prefix prefix, before;

		memset(&before, 0xa5, sizeof(before));
		memcpy(&prefix, &before, sizeof(prefix));
		print_message("# \"%.60s\"\n", bad[i].text);
		assert_int_equal(prefix_parse(&prefix, bad[i].text, &why), -EINVAL);
		assert_memory_equal(&prefix, &before, sizeof(prefix));
		assert_non_null(memchr(why.text, '\0', sizeof(why.text)));
		assert_non_null(strstr(why.text, bad[i].says));
		/* It names the text that was meant. */
		assert_int_equal(
			strncmp(why.text + 1, bad[i].text, strnlen(bad[i].text, 60)),
			0);
	}
}

static const struct {
	const char *prefix, *address;
	bool holds;
} held[] = {
	{ "all", "0.0.0.0", true },
	{ "all", "255.255.255.255", true },
	{ "all", "::", true },
	{ "all", "2001:db8::1", true },
	{ "0.0.0.0/0", "0.0.0.0", true },
	{ "0.0.0.0/0", "255.255.255.255", true },
	{ "0.0.0.0/0", "::", false },
	{ "::/0", "::", true },
	{ "::/0", "ffff::1", true },
	{ "::/0", "0.0.0.0", false },
	{ "::/0", "::ffff:0.0.0.0", false },
	{ "128.0.0.0/1", "127.255.255.255", false },
	{ "128.0.0.0/1", "128.0.0.0", true },
	{ "128.0.0.0/1", "255.255.255.255", true },
	{ "10.0.0.0/8", "9.255.255.255", false },
	{ "10.0.0.0/8", "10.0.0.0", true },
	{ "10.0.0.0/8", "10.255.255.255", true },
	{ "10.0.0.0/8", "11.0.0.0", false },
	{ "10.0.0.0/8", "::ffff:10.1.2.3", true },
	{ "::ffff:10.0.0.0/104", "10.1.2.3", true },
	{ "10.0.0.0/8", "a00::", false },
	{ "a00::/8", "10.0.0.0", false },
	{ "192.0.2.2/31", "192.0.2.1", false },
	{ "192.0.2.2/31", "192.0.2.3", true },
	{ "192.0.2.2/31", "192.0.2.4", false },
	{ "192.0.2.2", "192.0.2.2", true },
	{ "192.0.2.2", "192.0.2.3", false },
	{ "::2/127", "::1", false },
	{ "::2/127", "::3", true },
	{ "::2/127", "::4", false },
	{ "::2", "::2", true },
	{ "::2", "::3", false },
};

static void a_prefix_holds_what_begins_like_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(held); i++) {
		struct prefix prefix = parsed(held[i].prefix);
		struct address address = peer_at(held[i].address);

		print_message("# %s, %s\n", held[i].prefix, held[i].address);
		assert_int_equal(prefix_holds(&prefix, &address), held[i].holds);
	}
}

/*
 * An address with one bit set is in the network of zeros only if that bit is after the
 * prefix.
 */
static void every_length_counts_to_the_bit(void **state)
{
	static const struct {
		const char *zeros;
		unsigned most;
	} rows[] = { { "0.0.0.0", 32 }, { "::", 128 } };

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		for (unsigned at = 0; at < rows[i].most; at++) {
			struct address address = peer_at(rows[i].zeros);
			unsigned char *bytes =
				i == 0 ? (unsigned char *)&address.any.in.sin_addr
				       : address.any.in6.sin6_addr.s6_addr;

			bytes[at / 8] = (unsigned char)(0x80 >> at % 8);
			for (unsigned bits = 0; bits <= rows[i].most; bits++) {
				struct prefix prefix = parsed(rows[i].zeros);

				prefix.bits = bits;
				assert_int_equal(prefix_holds(&prefix, &address),
						 at >= bits);
			}
		}
}

static void no_prefix_holds_a_unix_client(void **state)
{
	static const char *const texts[] = { "all", "0.0.0.0/0", "::/0", "0.0.0.0" };
	struct address address = peer_unix();

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct prefix prefix = parsed(texts[i]);

		assert_false(prefix_holds(&prefix, &address));
	}
}

static void same_means_family_length_and_bits(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "all", "all", true },
		{ "all", "0.0.0.0/0", false },
		{ "all", "::/0", false },
		{ "0.0.0.0/0", "::/0", false },
		{ "0.0.0.0/0", "::ffff:0:0/96", true },
		{ "10.0.0.0/8", "10.0.0.0/9", false },
		{ "10.0.0.0/8", "11.0.0.0/8", false },
		{ "10.0.0.0/8", "::ffff:10.0.0.0/104", true },
		{ "10.0.0.0/8", "a00::/8", false },
		{ "192.0.2.1", "192.0.2.1/32", true },
		{ "2001:db8::", "2001:DB8:0::0/128", true },
		{ "2001:db8::/32", "2001:db8::/33", false },
		{ "::/128", "::1/128", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prefix a = parsed(rows[i].a), b = parsed(rows[i].b);

		print_message("# %s, %s\n", rows[i].a, rows[i].b);
		assert_int_equal(prefix_is_same(&a, &b), rows[i].same);
		assert_int_equal(prefix_is_same(&b, &a), rows[i].same);
	}
}

static void an_address_is_cut_to_the_bits_of_its_family(void **state)
{
	static const struct {
		const char *address;
		unsigned ipv4_bits, ipv6_bits;
		const char *left;
	} rows[] = {
		{ "255.255.255.255", 0, 128, "0.0.0.0" },
		{ "255.255.255.255", 1, 128, "128.0.0.0" },
		{ "255.255.255.255", 8, 128, "255.0.0.0" },
		{ "255.255.255.255", 23, 128, "255.255.254.0" },
		{ "255.255.255.255", 31, 128, "255.255.255.254" },
		{ "255.255.255.255", 32, 0, "255.255.255.255" },
		{ "::ffff:255.255.255.255", 24, 128, "255.255.255.0" },
		{ "2001:db8:1:2:3:4:5:6", 32, 0, "::" },
		{ "8001:db8:1:2:3:4:5:6", 32, 1, "8000::" },
		{ "2001:db8:1:2:3:4:5:6", 0, 64, "2001:db8:1:2::" },
		{ "2001:db8:1:2:3:4:5:7", 32, 127, "2001:db8:1:2:3:4:5:6" },
		{ "2001:db8:1:2:3:4:5:7", 0, 128, "2001:db8:1:2:3:4:5:7" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address address = peer_at(rows[i].address);
		struct prefix left = parsed(rows[i].left);
		struct prefix_bytes cut;

		print_message("# %s\n", rows[i].address);
		memset(&cut, 0xa5, sizeof(cut));
		assert_true(prefix_cut(&cut, &address, rows[i].ipv4_bits,
				       rows[i].ipv6_bits));
		assert_memory_equal(&cut, &left.bytes, sizeof(cut));
	}
}

static void a_unix_address_cannot_be_cut(void **state)
{
	struct address address = peer_unix();
	struct prefix_bytes cut, before;

	(void)state;
	memset(&before, 0xa5, sizeof(before));
	cut = before;
	assert_false(prefix_cut(&cut, &address, 32, 128));
	assert_memory_equal(&cut, &before, sizeof(cut));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(prefixes_are_read),
		promise(what_is_no_prefix_is_refused_with_a_reason),
		promise(a_prefix_holds_what_begins_like_it),
		promise(every_length_counts_to_the_bit),
		promise(no_prefix_holds_a_unix_client),
		promise(same_means_family_length_and_bits),
		promise(an_address_is_cut_to_the_bits_of_its_family),
		promise(a_unix_address_cannot_be_cut),
	};

	return cmocka_run_group_tests_name("prefix", tests, NULL, NULL);
}
