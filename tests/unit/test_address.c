#include "base/address.h"

#include <sys/un.h>

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "check.h"

#define A10  "aaaaaaaaaa"
#define A50  A10 A10 A10 A10 A10
#define A100 A50 A50
#define A250 A100 A100 A50

/* The text of an address after it has been looked up. */
static void numeric_addresses_are_read_and_written(void **state)
{
	static const struct {
		const char *text, *written;
	} rows[] = {
		{ "127.0.0.1:7007", "127.0.0.1:7007" },
		{ "127.0.0.1:0", "127.0.0.1:0" },
		{ "0.0.0.0:65535", "0.0.0.0:65535" },
		{ "127.0.0.1:007", "127.0.0.1:7" },
		{ "[::1]:7007", "[::1]:7007" },
		{ "[::]:0", "[::]:0" },
		{ "[2001:DB8:0:0:0:0:0:1]:80", "[2001:db8::1]:80" },
		{ "[::ffff:192.0.2.1]:80", "[::ffff:192.0.2.1]:80" },
		{ ":7007", "[::]:7007" },
		{ ":0", "[::]:0" },
		{ "unix:/run/x", "unix:/run/x" },
		{ "unix:x", "unix:x" },
		{ "unix:/a:b]", "unix:/a:b]" },
		{ "unix:/tmp/a b", "unix:/tmp/a b" },
		{ "unix:@name", "unix:@name" },
		{ "unix:@a@b", "unix:@a@b" },
		{ "unix:@@", "unix:@@" },
		{ "[fe80::1%lo]:80", "[fe80::1%lo]:80" },
		{ "[fe80::1%1]:80", "[fe80::1%lo]:80" },
		{ "[FE80:0::1%4000000000]:0", "[fe80::1%4000000000]:0" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address_list list = { 0 };
		struct why why = { "" };
		char text[ADDRESS_TEXT_MAX];

		print_message("# \"%s\"\n", rows[i].text);
		assert_int_equal(address_lookup(&list, rows[i].text, &why), 0);
		assert_int_equal(list.count, 1);
		address_format(&list.at[0], text, sizeof(text));
		assert_string_equal(text, rows[i].written);
		assert_int_equal(list.at[0].both_families, rows[i].text[0] == ':');
	}
}

static void malformed_addresses_are_refused_with_a_reason(void **state)
{
	static const char *const texts[] = {
		"",
		":",
		"7007",
		"127.0.0.1",
		"127.0.0.1:",
		"127.0.0.1:65536",
		"127.0.0.1:-1",
		"127.0.0.1:+80",
		"127.0.0.1: 80",
		"127.0.0.1:80 ",
		"127.0.0.1:http",
		"127.0.0.1:18446744073709551616",
		":65536",
		":x",
		"::1:80",
		"::1",
		"2001:db8::1:80",
		"[::1]",
		"[::1]80",
		"[::1]:",
		"[::1]:65536",
		"[::1",
		"[]:80",
		"[127.0.0.1]:80",
		"[localhost]:80",
		" 127.0.0.1:80",
		"-x:80",
		"a b:80",
		"a/b:80",
		"http://host:80",
		"a\nb:80",
		"a;b:80",
		"unix:",
		"unix:@",
		"[fe80::1]:80",
		A250 A10 ":80",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct address_list list = { 0 };
		struct why why = { "" };

		print_message("# row %zu\n", i);
		assert_int_equal(address_lookup(&list, texts[i], &why), -EINVAL);
		assert_true(strlen(why.text) > 10);
		assert_null(strchr(why.text, '\n'));
	}
}

/* unix(7): sun_path has 108 bytes, one of them for the NUL. */
static void a_unix_path_has_107_bytes_at_most(void **state)
{
	struct address_list list = { 0 };
	struct why why = { "" };
	char text[ADDRESS_TEXT_MAX];

	(void)state;
	assert_int_equal(address_lookup(&list, "unix:/" A100 "aaaaaa", &why), 0);
	assert_int_equal(list.at[0].length, sizeof(struct sockaddr_un));
	address_format(&list.at[0], text, sizeof(text));
	assert_string_equal(text, "unix:/" A100 "aaaaaa");

	assert_int_equal(address_lookup(&list, "unix:/" A100 "aaaaaaa", &why),
			 -ENAMETOOLONG);
	assert_non_null(strstr(why.text, "108"));
	assert_non_null(strstr(why.text, "107"));
}

/* An address in brackets is short, and is not given to the resolver. */
static void brackets_hold_no_endless_text(void **state)
{
	struct address_list list = { 0 };
	struct why why = { "" };

	(void)state;
	assert_int_equal(address_lookup(&list, "[::1" A250 A10 "]:80", &why), -EINVAL);
	assert_true(strlen(why.text) > 10);
}

static void a_name_gives_each_of_its_addresses_once(void **state)
{
	struct address_list list = { 0 };
	struct why why = { "" };

	(void)state;
	assert_int_equal(address_lookup(&list, "localhost:80", &why), 0);
	assert_in_range(list.count, 1, ADDRESS_LIST_MAX);
	for (unsigned i = 0; i < list.count; i++) {
		assert_false(list.at[i].both_families);
		assert_int_equal(ntohs(list.at[i].any.in.sin_port), 80);
		for (unsigned k = 0; k < i; k++)
			assert_false(list.at[i].length == list.at[k].length &&
				     memcmp(&list.at[i].any, &list.at[k].any,
					    list.at[i].length) == 0);
	}
}

static void host_and_port_given_apart_need_no_brackets(void **state)
{
	static const struct {
		const char *host, *port, *written;
		int err;
	} rows[] = {
		{ "127.0.0.1", "80", "127.0.0.1:80", 0 },
		{ "::1", "80", "[::1]:80", 0 },
		{ "::", "65535", "[::]:65535", 0 },
		{ "127.0.0.1", "65536", NULL, -EINVAL },
		{ "127.0.0.1", "", NULL, -EINVAL },
		{ "127.0.0.1", "http", NULL, -EINVAL },
		{ "", "80", NULL, -EINVAL },
		{ "[::1]", "80", NULL, -EINVAL },
		{ "a b", "80", NULL, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address_list list = { 0 };
		struct why why = { "" };
		char text[ADDRESS_TEXT_MAX];

		print_message("# \"%s\" \"%s\"\n", rows[i].host, rows[i].port);
		assert_int_equal(
			address_lookup_host(&list, rows[i].host, rows[i].port, &why),
			rows[i].err);
		if (rows[i].err < 0)
			continue;
		assert_int_equal(list.count, 1);
		assert_false(list.at[0].both_families);
		address_format(&list.at[0], text, sizeof(text));
		assert_string_equal(text, rows[i].written);
	}
}

static struct address unix_name(const char *bytes, size_t length)
{
	struct address address = {
		.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length),
	};

	address.any.un.sun_family = AF_UNIX;
	memcpy(address.any.un.sun_path, bytes, length);
	return address;
}

static void unix_names_are_written_as_they_are(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *written;
	} rows[] = {
		{ "", 0, "unix:" },
		{ "/a\0", 3, "unix:/a" },
		{ "/a\0b", 4, "unix:/a" },
		{ "/a", 2, "unix:/a" },
		{ "\0abc", 4, "unix:@abc" },
		{ "\0a\0b", 4, "unix:@a@b" },
		{ "\0", 1, "unix:@" },
		{ "/\n\x1b[2J\0", 7, "unix:/\n\x1b[2J" },
		{ "/\xc3\xa4\x7f", 4, "unix:/\xc3\xa4\x7f" },
		{ "/a \"=b\0", 7, "unix:/a \"=b" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address address = unix_name(rows[i].bytes, rows[i].length);
		char text[ADDRESS_TEXT_MAX];

		print_message("# row %zu\n", i);
		address_format(&address, text, sizeof(text));
		assert_string_equal(text, rows[i].written);
	}
}

static void a_formatted_address_is_cut_to_the_size_given(void **state)
{
	char bytes[108], whole[ADDRESS_TEXT_MAX], text[ADDRESS_TEXT_MAX];
	struct address address;

	(void)state;
	memset(bytes, '\xff', sizeof(bytes));
	address = unix_name(bytes, sizeof(bytes));
	address_format(&address, whole, sizeof(whole));
	for (size_t size = 1; size < sizeof(text); size++) {
		memset(text, 'x', sizeof(text));
		address_format(&address, text, size);
		assert_true(strlen(text) < size);
		assert_int_equal(strncmp(text, whole, strlen(text)), 0);
		for (size_t i = size; i < sizeof(text); i++)
			assert_int_equal(text[i], 'x');
	}
}

static void v4_mapped_addresses_become_ipv4_and_others_stay(void **state)
{
	static const struct {
		const char *text, *written;
	} rows[] = {
		{ "[::ffff:192.0.2.1]:80", "192.0.2.1:80" },
		{ "[::1]:80", "[::1]:80" },
		{ "[::192.0.2.1]:80", "[::192.0.2.1]:80" },
		{ "192.0.2.1:80", "192.0.2.1:80" },
		{ "unix:/a", "unix:/a" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address_list list = { 0 };
		struct why why = { "" };
		char text[ADDRESS_TEXT_MAX];

		print_message("# %s\n", rows[i].text);
		assert_int_equal(address_lookup(&list, rows[i].text, &why), 0);
		address_normalize(&list.at[0]);
		address_format(&list.at[0], text, sizeof(text));
		assert_string_equal(text, rows[i].written);
		if (address_family(&list.at[0]) == AF_INET)
			assert_int_equal(list.at[0].length, sizeof(struct sockaddr_in));
	}
}

static void an_abstract_name_begins_with_nul_and_has_its_length(void **state)
{
	struct address_list list = { 0 };
	struct why why = { "" };

	(void)state;
	assert_int_equal(address_lookup(&list, "unix:@name", &why), 0);
	assert_int_equal(list.at[0].length, offsetof(struct sockaddr_un, sun_path) + 5);
	assert_memory_equal(list.at[0].any.un.sun_path, "\0name", 5);
	assert_true(address_is_abstract(&list.at[0]));
	assert_int_equal(address_lookup(&list, "unix:./@name", &why), 0);
	assert_false(address_is_abstract(&list.at[0]));
	assert_int_equal(address_lookup(&list, "unix:@/" A100 "aaaaaa", &why), 0);
	assert_int_equal(list.at[0].length, sizeof(struct sockaddr_un));
	assert_int_equal(address_lookup(&list, "unix:@/" A100 "aaaaaaa", &why),
			 -ENAMETOOLONG);
}

static void an_interface_that_is_not_there_is_told(void **state)
{
	struct address_list list = { 0 };
	struct why why = { "" };

	(void)state;
	assert_int_equal(address_lookup_host(&list, "fe80::1%none0", "80", &why),
			 -EHOSTUNREACH);
	assert_non_null(strstr(why.text, "none0"));
}

static void addresses_overlap_where_the_kernel_would_not_have_both(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{ "127.0.0.1:80", "127.0.0.1:80", true },
		{ "127.0.0.1:80", "127.0.0.1:81", false },
		{ "127.0.0.1:80", "127.0.0.2:80", false },
		{ "0.0.0.0:80", "127.0.0.2:80", true },
		{ "0.0.0.0:80", "[::1]:80", false },
		{ "[::]:80", "127.0.0.1:80", false }, /* IPv6 only */
		{ ":80", "127.0.0.1:80", true },
		{ ":80", "[::1]:80", true },
		{ ":80", ":80", true },
		{ ":80", ":81", false },
		{ "[fe80::1%1]:80", "[fe80::1%2]:80", false },
		{ "[fe80::1%1]:80", "[fe80::1%1]:80", true },
		{ "[::]:80", "[fe80::1%1]:80", true },
		{ "unix:/a", "unix:/a", true },
		{ "unix:/a", "unix:@/a", false },
		{ "unix:/a", ":80", false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct address_list a = { 0 }, b = { 0 };
		struct why why = { "" };

		print_message("# %s %s\n", rows[i].a, rows[i].b);
		assert_int_equal(address_lookup(&a, rows[i].a, &why), 0);
		assert_int_equal(address_lookup(&b, rows[i].b, &why), 0);
		assert_int_equal(address_overlaps(&a.at[0], &b.at[0]), rows[i].overlap);
		assert_int_equal(address_overlaps(&b.at[0], &a.at[0]), rows[i].overlap);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(numeric_addresses_are_read_and_written),
		promise(malformed_addresses_are_refused_with_a_reason),
		promise(a_unix_path_has_107_bytes_at_most),
		promise(brackets_hold_no_endless_text),
		promise(a_name_gives_each_of_its_addresses_once),
		promise(host_and_port_given_apart_need_no_brackets),
		promise(unix_names_are_written_as_they_are),
		promise(a_formatted_address_is_cut_to_the_size_given),
		promise(v4_mapped_addresses_become_ipv4_and_others_stay),
		promise(an_abstract_name_begins_with_nul_and_has_its_length),
		promise(an_interface_that_is_not_there_is_told),
		promise(addresses_overlap_where_the_kernel_would_not_have_both),
	};

	return cmocka_run_group_tests_name("address", tests, NULL, NULL);
}
