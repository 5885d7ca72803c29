#include "base/half_open.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include "base/listener.h"
#include "check.h"
#include "half.h"

static struct listener open_on(const char *text)
{
	struct listener listener;
	struct address_list list;

	assert_int_equal(address_lookup(&list, text, NULL), 0);
	assert_int_equal(listener_open(&listener, &list.at[0], NULL, NULL), 0);
	return listener;
}

/* The same port of another host. */
static struct address at(const struct listener *listener, const char *host)
{
	struct address_list list;
	char port[8];

	snprintf(port, sizeof(port), "%u", address_port(&listener->address));
	assert_int_equal(address_lookup_host(&list, host, port, NULL), 0);
	return list.at[0];
}

static void expect_count(const struct address *address, int count)
{
	int found = half_open_count(address);

	for (int i = 0; i < 1000 && found != count; i++) { /* the SYN is in transit */
		sched_yield();
		found = half_open_count(address);
	}
	assert_int_equal(found, count);
}

static void skip_unless_told(void)
{
	struct address_list list;

	assert_int_equal(address_lookup(&list, "127.0.0.1:1", NULL), 0);
	if (half_open_count(&list.at[0]) < 0)
		skip_because("this kernel has no sock_diag(7) of TCP");
}

/* At the listener's address, at another one with its port, and after they are over. */
static void handshakes_are_counted(const char *listens, const char *host, int elsewhere)
{
	struct listener listener = open_on(listens);
	struct address there = at(&listener, host), other = at(&listener, "127.0.0.2");
	int fds[3];

	expect_count(&listener.address, 0);
	for (int i = 0; i < 3; i++) {
		fds[i] = half_connect(&there);
		if (fds[i] < 0) {
			listener_close(&listener);
			skip_because("SO_ATTACH_FILTER is refused here");
		}
	}
	expect_count(&listener.address, 3);
	expect_count(&other, elsewhere);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	listener_close(&listener);
}

static void those_of_an_ipv4_listener_are_counted(void **state)
{
	(void)state;
	skip_unless_told();
	handshakes_are_counted("127.0.0.1:0", "127.0.0.1", 0);
}

static void those_of_every_address_are_a_wildcards(void **state)
{
	(void)state;
	skip_unless_told();
	handshakes_are_counted("0.0.0.0:0", "127.0.0.2", 3);
}

static void those_of_both_families_are_a_wildcards(void **state)
{
	(void)state;
	skip_unless_told();
	handshakes_are_counted(":0", "127.0.0.1", 0);
}

/* Its handshake is over, although it still waits in the queue. */
static void connections_are_not_counted(void **state)
{
	struct listener listener;
	int fd;

	(void)state;
	skip_unless_told();
	listener = open_on("127.0.0.1:0");
	fd = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(fd, &listener.address.any.sa, listener.address.length),
			 0);
	expect_count(&listener.address, 0);
	close(fd);
	listener_close(&listener);
}

static void without_a_descriptor_it_cannot_be_told(void **state)
{
	struct listener listener = open_on("127.0.0.1:0");
	struct rlimit limit, none = { 0 };

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none.rlim_max = limit.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(half_open_count(&listener.address), -EMFILE);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
	listener_close(&listener);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(those_of_an_ipv4_listener_are_counted),
		promise(those_of_every_address_are_a_wildcards),
		promise(those_of_both_families_are_a_wildcards),
		promise(connections_are_not_counted),
		promise(without_a_descriptor_it_cannot_be_told),
	};

	return cmocka_run_group_tests_name("half_open", tests, NULL, NULL);
}
