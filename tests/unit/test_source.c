#include "engine/admit/source.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "pair.h"
#include "peer.h"

static struct source_key key_of(const char *host, unsigned ipv4_bits,
				unsigned ipv6_bits)
{
	struct address address = peer_at(host);
	struct source_key key;

	source_key_fill(&key, &address, -1, ipv4_bits, ipv6_bits);
	return key;
}

/* The user of a pair of sockets made just now. */
static struct source_key key_of_user(void)
{
	struct address address = peer_unix();
	struct pair pair = pair_unix();
	struct source_key key;

	source_key_fill(&key, &address, pair.server, 32, 64);
	pair_close(&pair);
	return key;
}

/* As many different keys as needed. */
static struct source_key key_number(uint32_t number)
{
	return (struct source_key){ .word = { 0, 0, htonl(0xffff), htonl(number) } };
}

static bool is_same(struct source_key a, struct source_key b)
{
	return memcmp(&a, &b, sizeof(a)) == 0;
}

static uint32_t find(const struct sources *sources, uint32_t number)
{
	struct source_key key = key_number(number);

	return source_find(sources, &key);
}

static bool is_known(const struct sources *sources, uint32_t number)
{
	return find(sources, number) != SOURCE_NONE;
}

static uint32_t enter(struct sources *sources, uint32_t number)
{
	struct source_key key = key_number(number);

	return source_enter(sources, &key, false);
}

/* Enters and leaves, and has its whole rate again at full_at_ns; the time is 1. */
static void visit(struct sources *sources, uint32_t number, int64_t full_at_ns)
{
	uint32_t index = enter(sources, number);

	sources->at[index].full_at_ns = full_at_ns;
	source_leave(sources, index, false, 1);
}

static void nothing_is_known(const struct sources *sources)
{
	assert_int_equal(sources->connected, 0);
	assert_int_equal(sources->oldest, SOURCE_NONE);
	assert_int_equal(sources->newest, SOURCE_NONE);
	for (uint32_t i = 0; i <= sources->mask; i++)
		if (sources->buckets[i] != 0)
			fail_msg("bucket %u is not empty", i);
}

static void a_source_is_an_address_cut_to_its_prefix(void **state)
{
	static const struct {
		const char *a, *b;
		unsigned ipv4_bits, ipv6_bits;
		bool same;
	} rows[] = {
		{ "127.0.0.1", "127.0.0.1", 32, 128, true },
		{ "127.0.0.1", "::ffff:127.0.0.1", 32, 128, true },
		{ "127.0.0.1", "127.0.0.2", 32, 128, false },
		{ "127.0.0.2", "127.0.0.3", 31, 128, true },
		{ "127.0.0.1", "127.0.0.2", 31, 128, false },
		{ "127.0.0.1", "::127.0.0.1", 32, 128, false },
		{ "127.0.0.1", "::1", 32, 128, false },
		{ "0.0.0.0", "::", 1, 1, false },
		{ "192.0.2.1", "192.0.2.255", 24, 128, true },
		{ "192.0.2.1", "::ffff:192.0.2.255", 24, 128, true },
		{ "192.0.2.1", "192.0.3.1", 24, 128, false },
		{ "2001:db8::1", "2001:db8::2", 32, 64, true },
		{ "2001:db8::1", "2001:db8::2", 32, 128, false },
		{ "2001:db8::1", "2001:db8:0:1::1", 32, 64, false },
		{ "2001:db8::1", "2001:db8:0:1::1", 32, 63, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		unsigned v4 = rows[i].ipv4_bits, v6 = rows[i].ipv6_bits;

		print_message("# %s, %s\n", rows[i].a, rows[i].b);
		assert_int_equal(
			is_same(key_of(rows[i].a, v4, v6), key_of(rows[i].b, v4, v6)),
			rows[i].same);
	}
}

static void the_port_does_not_matter(void **state)
{
	struct address a = peer_at("192.0.2.1"), b = a;
	struct address c = peer_at("2001:db8::1"), d = c;
	struct source_key keys[4];

	(void)state;
	b.any.in.sin_port = htons(8);
	d.any.in6.sin6_port = htons(8);
	source_key_fill(&keys[0], &a, -1, 32, 128);
	source_key_fill(&keys[1], &b, -1, 32, 128);
	source_key_fill(&keys[2], &c, -1, 32, 128);
	source_key_fill(&keys[3], &d, -1, 32, 128);
	assert_true(is_same(keys[0], keys[1]));
	assert_true(is_same(keys[2], keys[3]));
}

static void a_unix_client_is_its_user(void **state)
{
	struct source_key mine = key_of_user(), other;

	(void)state;
	assert_true(is_same(mine, key_of_user()));
	if (geteuid() != 0)
		skip_because("needs root");
	assert_int_equal(seteuid(65534), 0);
	other = key_of_user();
	assert_int_equal(seteuid(0), 0);
	assert_false(is_same(mine, other));
}

/* Even one whose number is chosen to look like an address. */
static void a_user_is_never_an_address(void **state)
{
	static const char *const forms[] = { "%u.%u.%u.%u", "::%u.%u.%u.%u",
					     "::ffff:%u.%u.%u.%u",
					     "fe80::%u.%u.%u.%u%%lo" };
	struct source_key user = key_of_user();
	unsigned char uid[4];

	(void)state;
	memcpy(uid, &(uid_t){ geteuid() }, sizeof(uid));
	for (size_t i = 0; i < COUNT(forms); i++) {
		char host[INET6_ADDRSTRLEN];

		snprintf(host, sizeof(host), forms[i], uid[0], uid[1], uid[2], uid[3]);
		assert_false(is_same(user, key_of(host, 32, 128)));
		assert_false(is_same(user, key_of(host, 1, 1)));
	}
}

static void connections_are_counted_for_each_source(void **state)
{
	struct sources sources;
	uint32_t a, b;

	(void)state;
	assert_int_equal(sources_open(&sources, 10, 10), 0);
	assert_false(is_known(&sources, 1));
	a = enter(&sources, 1);
	b = enter(&sources, 2);
	assert_int_not_equal(a, b);
	assert_int_equal(enter(&sources, 1), a);
	assert_int_equal(find(&sources, 1), a);
	assert_int_equal(find(&sources, 2), b);
	assert_false(is_known(&sources, 3));
	assert_int_equal(sources.at[a].connections, 2);
	assert_int_equal(sources.at[b].connections, 1);
	assert_int_equal(sources.connected, 2);
	source_leave(&sources, a, false, 0);
	assert_int_equal(sources.at[a].connections, 1);
	assert_int_equal(sources.connected, 2);
	source_leave(&sources, a, false, 0);
	assert_false(is_known(&sources, 1));
	assert_int_equal(sources.connected, 1);
	source_leave(&sources, b, false, 0);
	nothing_is_known(&sources);
	sources_close(&sources);
	sources_close(&sources);
}

/* All connections from different sources, repeatedly, with their rates used up. */
static void places_never_run_out_for_connections(void **state)
{
	enum { MOST = 300, ROUNDS = 50 };
	static const unsigned remembered[] = { 0, 1, MOST };
	struct sources sources;
	uint32_t index[MOST];

	(void)state;
	for (size_t k = 0; k < COUNT(remembered); k++) {
		assert_int_equal(sources_open(&sources, MOST, remembered[k]), 0);
		for (uint32_t round = 0; round < ROUNDS; round++) {
			for (uint32_t i = 0; i < MOST; i++) {
				index[i] = enter(&sources, round * 7919 + i * 31);
				assert_true(index[i] < MOST + remembered[k]);
				assert_int_equal(sources.at[index[i]].connections, 1);
				sources.at[index[i]].full_at_ns = 2;
			}
			assert_int_equal(sources.connected, MOST);
			for (uint32_t i = 0; i < MOST; i++)
				source_leave(&sources, index[i * 7 % MOST], false, 1);
			assert_int_equal(sources.connected, 0);
		}
		assert_int_equal(sources.touched, MOST + remembered[k]);
		sources_close(&sources);
	}
}

static void every_count_is_back_at_zero(void **state)
{
	enum { MOST = 300, ROUNDS = 50 };
	struct sources sources;
	uint32_t index[MOST];

	(void)state;
	assert_int_equal(sources_open(&sources, MOST, MOST), 0);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < MOST; i++)
			index[i] = enter(&sources, round * 7919 + i % 211 * 31);
		assert_int_equal(sources.connected, 211);
		for (uint32_t i = 0; i < MOST; i++)
			source_leave(&sources, index[i * 7 % MOST], false, 1);
		nothing_is_known(&sources);
	}
	assert_int_equal(sources.touched, 211);
	sources_close(&sources);
}

static void a_source_is_remembered_until_its_rate_is_regained(void **state)
{
	struct sources sources;
	uint32_t index;

	(void)state;
	assert_int_equal(sources_open(&sources, 1, 1), 0);
	index = enter(&sources, 1);
	sources.at[index].full_at_ns = 1000;
	source_leave(&sources, index, false, 999);
	assert_int_equal(find(&sources, 1), index);
	assert_int_equal(sources.at[index].full_at_ns, 1000);
	assert_int_equal(sources.at[index].connections, 0);
	assert_int_equal(sources.connected, 0);
	assert_int_equal(enter(&sources, 1), index);
	assert_int_equal(sources.at[index].full_at_ns, 1000);
	assert_int_equal(sources.at[index].connections, 1);
	assert_int_equal(sources.connected, 1);
	source_leave(&sources, index, false, 1000);
	nothing_is_known(&sources);
	/* The source that gets its place does not inherit its past. */
	assert_int_equal(enter(&sources, 2), index);
	assert_int_equal(sources.at[index].full_at_ns, 0);
	source_leave(&sources, index, false, 1000);
	sources_close(&sources);
}

static void who_left_first_is_forgotten_first(void **state)
{
	struct sources sources;

	(void)state;
	assert_int_equal(sources_open(&sources, 1, 4), 0);
	for (uint32_t i = 1; i <= 5; i++)
		visit(&sources, i, 100 - i);
	/* 2 and 5 came again since: the order is now 1 3 4 2 5. */
	visit(&sources, 2, 100);
	visit(&sources, 5, 100);
	visit(&sources, 6, 100);
	assert_false(is_known(&sources, 1));
	assert_true(is_known(&sources, 3));
	visit(&sources, 7, 100);
	assert_false(is_known(&sources, 3));
	visit(&sources, 8, 100);
	assert_false(is_known(&sources, 4));
	assert_true(is_known(&sources, 2));
	visit(&sources, 9, 100);
	assert_false(is_known(&sources, 2));
	for (uint32_t i = 5; i <= 9; i++)
		assert_true(is_known(&sources, i));
	sources_close(&sources);
}

static void a_source_with_a_connection_is_never_forgotten(void **state)
{
	struct sources sources;
	uint32_t first, second;

	(void)state;
	assert_int_equal(sources_open(&sources, 3, 5), 0);
	first = enter(&sources, 1);
	sources.at[first].full_at_ns = 4711;
	second = enter(&sources, 2);
	for (uint32_t i = 100; i < 1000; i++)
		visit(&sources, i, 2);
	assert_int_equal(find(&sources, 1), first);
	assert_int_equal(find(&sources, 2), second);
	assert_int_equal(sources.at[first].full_at_ns, 4711);
	assert_int_equal(sources.connected, 2);
	source_leave(&sources, first, false, 1);
	source_leave(&sources, second, false, 1);
	assert_int_equal(find(&sources, 1), first);
	assert_false(is_known(&sources, 2));
	sources_close(&sources);
}

/* A flood of sources uses no more memory than was set aside. */
static void many_different_sources_are_bounded(void **state)
{
	enum { MOST = 4, MANY = 70000, PLACES = MOST + SOURCES_REMEMBERED };
	struct sources sources;

	(void)state;
	assert_int_equal(sources_open(&sources, MOST, SOURCES_REMEMBERED), 0);
	for (uint32_t i = 0; i < MANY; i++)
		visit(&sources, i, 1000 + (int64_t)i);
	assert_int_equal(sources.touched, PLACES);
	for (uint32_t i = 0; i < MANY; i++) {
		uint32_t index = find(&sources, i);

		assert_int_equal(index == SOURCE_NONE, i < MANY - PLACES);
		if (index != SOURCE_NONE)
			assert_int_equal(sources.at[index].full_at_ns, 1000 + i);
	}
	for (uint32_t i = MANY - PLACES; i < MANY; i++)
		visit(&sources, i, 0);
	nothing_is_known(&sources);
	sources_close(&sources);
}

/* The same table in the simplest form; a place is a number. */
enum { NUMBERS = 20, CONNECTIONS = 6, REMEMBERED = 3 };

struct plain {
	bool known;
	uint32_t connections;
	int64_t full_at_ns, left_at;
};

static void forget_if_there_is_no_room(struct plain plain[NUMBERS])
{
	int known = 0, first = -1;

	for (int i = 0; i < NUMBERS; i++) {
		known += plain[i].known;
		if (plain[i].known && plain[i].connections == 0 &&
		    (first < 0 || plain[i].left_at < plain[first].left_at))
			first = i;
	}
	if (known == CONNECTIONS + REMEMBERED)
		plain[first] = (struct plain){ 0 };
}

static void step(struct sources *sources, struct plain plain[NUMBERS], uint32_t number,
		 bool comes, int64_t now)
{
	struct plain *one = &plain[number];

	if (comes) {
		uint32_t index = enter(sources, number);

		if (!one->known)
			forget_if_there_is_no_room(plain);
		one->known = true;
		one->connections++;
		one->full_at_ns = (one->full_at_ns > now ? one->full_at_ns : now) + 30;
		sources->at[index].full_at_ns = one->full_at_ns;
	} else if (one->connections > 0) {
		source_leave(sources, find(sources, number), false, now);
		one->left_at = now;
		if (--one->connections == 0 && one->full_at_ns <= now)
			*one = (struct plain){ 0 };
	}
}

/* Returns how many connections there are. */
static uint32_t compare(const struct sources *sources,
			const struct plain plain[NUMBERS])
{
	uint32_t connections = 0, connected = 0;

	for (uint32_t i = 0; i < NUMBERS; i++) {
		uint32_t index = find(sources, i);

		assert_int_equal(index != SOURCE_NONE, plain[i].known);
		connections += plain[i].connections;
		connected += plain[i].connections > 0;
		if (index == SOURCE_NONE)
			continue;
		assert_int_equal(sources->at[index].connections, plain[i].connections);
		assert_int_equal(sources->at[index].full_at_ns, plain[i].full_at_ns);
	}
	assert_int_equal(sources->connected, connected);
	return connections;
}

static void whatever_comes_and_goes_the_table_is_right(void **state)
{
	struct plain plain[NUMBERS] = { { 0 } };
	struct sources sources;
	uint32_t random = 1, connections = 0;

	(void)state;
	assert_int_equal(sources_open(&sources, CONNECTIONS, REMEMBERED), 0);
	for (int64_t now = 1; now < 20000; now++) {
		random = random * 1664525 + 1013904223;
		step(&sources, plain, (random >> 8) % NUMBERS,
		     connections < CONNECTIONS && random >> 30 != 0, now);
		connections = compare(&sources, plain);
	}
	sources_close(&sources);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		promise(a_source_is_an_address_cut_to_its_prefix),
		promise(the_port_does_not_matter),
		promise(a_unix_client_is_its_user),
		promise(a_user_is_never_an_address),
		promise(connections_are_counted_for_each_source),
		promise(places_never_run_out_for_connections),
		promise(every_count_is_back_at_zero),
		promise(a_source_is_remembered_until_its_rate_is_regained),
		promise(who_left_first_is_forgotten_first),
		promise(a_source_with_a_connection_is_never_forgotten),
		promise(many_different_sources_are_bounded),
		promise(whatever_comes_and_goes_the_table_is_right),
	};

	return cmocka_run_group_tests_name("source", tests, NULL, NULL);
}
