#include "engine/program/hostname.h"

#include <string.h>

#include "check.h"

#define LABEL_60 "a23456789012345678901234567890123456789012345678901234567890"

static void names_of_hosts_are_fit(void **state)
{
	static const char *const names[] = {
		"a",
		"host",
		"mail.example.com",
		"MAIL.Example.COM",
		"xn--9n2bp8q.example",
		"1and1.com",
		"3com",
		"0xdead.example",
		"10-0-0-1.pool.example.net",
		"_dmarc.example.com",
		"under_score.example",
		"a.b.c.d.e.f",
		"unknown.example",
		"not-unknown",
		"localhosts",
		"mylocalhost",
		"my-localhost.example",
		LABEL_60 "123",
		LABEL_60 "." LABEL_60 "." LABEL_60 "." LABEL_60 ".a123456",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		if (!hostname_is_fit(names[i], false))
			fail_msg("not fit: %s", names[i]);
}

static void what_could_be_taken_for_an_address_is_not_fit(void **state)
{
	static const char *const names[] = {
		"127.0.0.1",       "10.0.0.1",     "192.0.2.7.",   "127.1",
		"2130706433",      "017700000001", "0x7f000001",   "0x7f.1",
		"example.com.1",   "1.2.3.0x4",    "1.2.3.0X",     "::1",
		"2001:db8::1",     "[::1]",        "fe80::1%eth0", "::ffff:10.0.0.1",
		"999.999.999.999", "1.2.3.4.5",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		if (hostname_is_fit(names[i], true))
			fail_msg("fit: %s", names[i]);
}

static void reserved_words_are_not_fit(void **state)
{
	static const char *const names[] = {
		"unknown",
		"UNKNOWN",
		"paranoid",
		"Paranoid",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		assert_false(hostname_is_fit(names[i], true));
}

static void localhost_is_the_name_of_loopback_addresses_alone(void **state)
{
	static const char *const names[] = {
		"localhost",
		"LocalHost",
		"localhost.localdomain",
		"evil.localhost",
		"localhost.example.com",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++) {
		assert_true(hostname_is_fit(names[i], true));
		assert_false(hostname_is_fit(names[i], false));
	}
}

static void what_is_no_name_is_not_fit(void **state)
{
	static const char *const names[] = {
		"",
		".",
		"a.",
		".a",
		"a..b",
		"-rf",
		"a.-b",
		"a-.example",
		"a b",
		"a\nb",
		"a;id",
		"$(id)",
		"a=b",
		"../etc",
		"a/b",
		"\xc3\xa9.example",
		"a\x7f",
		LABEL_60 "1234",
		LABEL_60 "." LABEL_60 "." LABEL_60 "." LABEL_60 ".a1234567890",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(names); i++)
		if (hostname_is_fit(names[i], true))
			fail_msg("fit: %s", names[i]);
}

static void a_name_has_253_bytes_at_most(void **state)
{
	char name[HOSTNAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < sizeof(name); i++)
		name[i] = i % 2 == 0 ? 'a' : '.';
	name[253] = '\0';
	assert_true(hostname_is_fit(name, false));
	name[253] = 'a';
	name[254] = '\0';
	assert_false(hostname_is_fit(name, false));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(names_of_hosts_are_fit),
		promise(what_could_be_taken_for_an_address_is_not_fit),
		promise(reserved_words_are_not_fit),
		promise(localhost_is_the_name_of_loopback_addresses_alone),
		promise(what_is_no_name_is_not_fit),
		promise(a_name_has_253_bytes_at_most),
	};

	return cmocka_run_group_tests_name("hostname", tests, NULL, NULL);
}
