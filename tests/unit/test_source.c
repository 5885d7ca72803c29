#include "engine/source.h"

#include <arpa/inet.h>
#include <string.h>

#include "base/address.h"
#include "check.h"

static struct address ipv4(uint32_t host, uint16_t port)
{
	struct address address = { .length = sizeof(address.any.in) };

	address.any.in.sin_family = AF_INET;
	address.any.in.sin_addr.s_addr = htonl(host);
	address.any.in.sin_port = htons(port);
	return address;
}

static struct address ipv6(const char *host)
{
	struct address address = { .length = sizeof(address.any.in6) };

	address.any.in6.sin6_family = AF_INET6;
	assert_int_equal(inet_pton(AF_INET6, host, &address.any.in6.sin6_addr), 1);
	return address;
}

static uint32_t open_now(const struct sources *sources, uint32_t index)
{
	return sources->at[index].connections;
}

static void a_source_is_an_address_without_its_port(void **state)
{
	struct address a = ipv4(0x7f000001, 1), b = ipv4(0x7f000001, 2),
		       c = ipv4(0x7f000002, 1), mapped = ipv6("::ffff:127.0.0.1"),
		       other = ipv6("::1");
	struct sources sources;
	uint32_t first;

	(void)state;
	assert_int_equal(sources_open(&sources, 10), 0);
	first = source_enter(&sources, &a);
	assert_int_equal(source_enter(&sources, &b), first);
	assert_int_equal(source_enter(&sources, &mapped), first);
	assert_int_equal(open_now(&sources, first), 3);
	assert_int_not_equal(source_enter(&sources, &c), first);
	assert_int_not_equal(source_enter(&sources, &other), first);
	assert_int_equal(open_now(&sources, first), 3);
	sources_close(&sources);
}

/* As many sources as connections, all different, over and over: nothing leaks. */
static void every_count_is_back_at_zero(void **state)
{
	enum { MOST = 300, ROUNDS = 50 };
	struct sources sources;
	uint32_t index[MOST];

	(void)state;
	assert_int_equal(sources_open(&sources, MOST), 0);
	for (uint32_t round = 0; round < ROUNDS; round++) {
		for (uint32_t i = 0; i < MOST; i++) {
			struct address address = ipv4(round * 7919 + i * 31, 1);

			index[i] = source_enter(&sources, &address);
			assert_true(index[i] < MOST);
			assert_int_equal(open_now(&sources, index[i]), 1);
		}
		for (uint32_t i = 0; i < MOST; i++)
			source_leave(&sources, index[(i * 7) % MOST]);
		assert_true(sources.touched <= MOST);
	}
	for (uint32_t i = 0; i < sources.touched; i++)
		assert_int_equal(open_now(&sources, i), 0);
	for (uint32_t i = 0; i <= sources.mask; i++)
		assert_int_equal(sources.buckets[i], 0);
	sources_close(&sources);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		promise(a_source_is_an_address_without_its_port),
		promise(every_count_is_back_at_zero),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
