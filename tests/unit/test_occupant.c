/* Finding what uses an address: lines of /proc/net/tcp, and real sockets. */
#include "base/occupant.h"

#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "base/listener.h"
#include "check.h"

/* The digits are those of a little-endian machine; a big-endian one prints others. */
static bool is_little_endian(void)
{
	const uint16_t one = 1;

	return *(const unsigned char *)&one == 1;
}

static void lines_of_the_kernels_tables_are_read(void **state)
{
	static const struct {
		const char *text, *local, *remote;
		unsigned state;
	} rows[] = {
		{ "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000",
		  "127.0.0.1:8080", "0.0.0.0:0", TCP_LISTEN },
		{ "  12: 0100007F:C34C 0200007F:0050 01 00000000:00000000 02:00000000",
		  "127.0.0.1:49996", "127.0.0.2:80", TCP_ESTABLISHED },
		{ "   1: 00000000000000000000000001000000:1F90 "
		  "00000000000000000000000000000000:0000 0A 00000000:00000000",
		  "[::1]:8080", "[::]:0", TCP_LISTEN },
		{ "   1: 0000000000000000FFFF00000100007F:1F90 "
		  "0000000000000000FFFF00000200007F:0016 06 00000000:00000000",
		  "127.0.0.1:8080", "127.0.0.2:22", TCP_TIME_WAIT },
	};

	(void)state;
	if (!is_little_endian())
		skip_because("the digits are of a little-endian machine");
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct occupant_line line;
		char text[ADDRESS_TEXT_MAX];

		assert_true(occupant_parse(rows[i].text, &line));
		address_format(&line.local, text, sizeof(text));
		assert_string_equal(text, rows[i].local);
		address_format(&line.remote, text, sizeof(text));
		assert_string_equal(text, rows[i].remote);
		assert_int_equal(line.state, rows[i].state);
	}
}

static void other_lines_are_none(void **state)
{
	static const char *const texts[] = {
		"",
		"  sl  local_address rem_address   st tx_queue rx_queue tr tm->when",
		"   0: 0100007F:1F90",
		"   0: 0100007F:1F90 00000000:0000 ",
		"   0: 010000:1F90 00000000:0000 0A",
		"   0: 0100007F01:1F90 00000000:0000 0A",
		"   0: 0100007F 00000000:0000 0A",
	};

	(void)state;
	for (size_t i = 0; i < COUNT(texts); i++) {
		struct occupant_line line;

		print_message("# row %zu\n", i);
		assert_false(occupant_parse(texts[i], &line));
	}
}

static void a_listener_is_a_server_and_a_client_a_connection(void **state)
{
	struct address_list list = { 0 };
	struct address own = { .length = sizeof(own.any) };
	struct occupant_line line;
	struct listener listener;
	struct why why;
	int client;

	(void)state;
	assert_int_equal(address_lookup(&list, "127.0.0.1:0", &why), 0);
	assert_int_equal(listener_open(&listener, &list.at[0], NULL, &why), 0);
	assert_int_equal(occupant_find(&listener.address, &line), OCCUPANT_SERVER);
	client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(
		connect(client, &listener.address.any.sa, listener.address.length), 0);
	assert_int_equal(getsockname(client, &own.any.sa, &own.length), 0);
	assert_int_equal(occupant_find(&own, &line), OCCUPANT_CONNECTION);
	assert_true(address_is_same(&line.local, &own));
	assert_true(address_is_same(&line.remote, &listener.address));
	assert_int_equal(occupant_find(&listener.address, &line), OCCUPANT_SERVER);
	close(client);
	listener_close(&listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(lines_of_the_kernels_tables_are_read),
		promise(other_lines_are_none),
		promise(a_listener_is_a_server_and_a_client_a_connection),
	};

	return cmocka_run_group_tests_name("occupant", tests, NULL, NULL);
}
