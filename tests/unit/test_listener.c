#include "base/listener.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/accept_error.h"
#include "check.h"

#define PATIENCE 10000 /* milliseconds, for what must happen */
#define NEVER    200   /* for what must not */

static char folder[] = "/tmp/prong-unit-XXXXXX";
static char path[64], unix_text[80];

static int make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/socket", folder);
	snprintf(unix_text, sizeof(unix_text), "unix:%s", path);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(folder);
}

static int try_open(struct listener *listener, const char *text)
{
	struct address_list list = { 0 };
	struct why why;

	assert_int_equal(address_lookup(&list, text, &why), 0);
	return listener_open(listener, &list.at[0], NULL, &why);
}

static struct listener open_on(const char *text)
{
	struct listener listener = { .fd = -1 };

	assert_int_equal(try_open(&listener, text), 0);
	return listener;
}

static int start_connecting(const struct address *address)
{
	int fd = socket(address_family(address), SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (connect(fd, &address->any.sa, address->length) < 0)
		assert_int_equal(errno, EINPROGRESS);
	return fd;
}

static bool connected_within(int fd, int milliseconds)
{
	struct pollfd writable = { .fd = fd, .events = POLLOUT };

	return poll(&writable, 1, milliseconds) == 1 && writable.revents == POLLOUT;
}

static int accept_one(const struct listener *listener)
{
	struct pollfd readable = { .fd = listener->fd, .events = POLLIN };

	assert_int_equal(poll(&readable, 1, PATIENCE), 1);
	return accept(listener->fd, NULL, NULL);
}

static void serves_a_client(const struct listener *listener,
			    const struct address *address)
{
	int client = start_connecting(address);
	int served;

	assert_true(connected_within(client, PATIENCE));
	served = accept_one(listener);
	assert_true(served >= 0);
	close(served);
	close(client);
}

static int flag_of(int fd, int level, int option)
{
	socklen_t size = sizeof(int);
	int value = -1;

	assert_int_equal(getsockopt(fd, level, option, &value, &size), 0);
	return value;
}

static void port_0_becomes_the_port_that_the_kernel_chose(void **state)
{
	struct listener listener = open_on("127.0.0.1:0");

	(void)state;
	assert_int_not_equal(listener.address.any.in.sin_port, 0);
	serves_a_client(&listener, &listener.address);
	listener_close(&listener);
	assert_int_equal(listener.fd, -1);
	listener_close(&listener);
}

static void a_listener_neither_blocks_nor_survives_exec(void **state)
{
	struct listener listener = open_on("127.0.0.1:0");

	(void)state;
	assert_true(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(accept(listener.fd, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	listener_close(&listener);
}

static void connections_send_at_once_and_probe_dead_peers(void **state)
{
	struct listener listener = open_on("127.0.0.1:0");
	int client = start_connecting(&listener.address);
	int served = accept_one(&listener);

	(void)state;
	assert_int_equal(flag_of(served, IPPROTO_TCP, TCP_NODELAY), 1);
	assert_int_equal(flag_of(served, SOL_SOCKET, SO_KEEPALIVE), 1);
	close(served);
	close(client);
	listener_close(&listener);
}

static void dead_peers_are_found_out_in_the_times_that_were_asked_for(void **state)
{
	static const struct listener_keepalive asked = { false, 300, 30, 4, 60000 };
	static const struct listener_keepalive none = { .off = true };
	struct listener listener = open_on("127.0.0.1:0");
	int client, served;

	(void)state;
	assert_int_equal(listener_keep_alive(&listener, &asked), 0);
	client = start_connecting(&listener.address);
	served = accept_one(&listener);
	assert_int_equal(flag_of(served, SOL_SOCKET, SO_KEEPALIVE), 1);
	assert_int_equal(flag_of(served, IPPROTO_TCP, TCP_KEEPIDLE), 300);
	assert_int_equal(flag_of(served, IPPROTO_TCP, TCP_KEEPINTVL), 30);
	assert_int_equal(flag_of(served, IPPROTO_TCP, TCP_KEEPCNT), 4);
	assert_int_equal(flag_of(served, IPPROTO_TCP, TCP_USER_TIMEOUT), 60000);
	close(client);
	close(served);
	assert_int_equal(listener_keep_alive(&listener, &none), 0);
	client = start_connecting(&listener.address);
	served = accept_one(&listener);
	assert_int_equal(flag_of(served, SOL_SOCKET, SO_KEEPALIVE), 0);
	assert_int_equal(flag_of(served, IPPROTO_TCP, TCP_KEEPIDLE), 300);
	close(client);
	close(served);
	listener_close(&listener);
}

static void a_taken_port_is_told_and_out_is_untouched(void **state)
{
	struct listener first = open_on("127.0.0.1:0");
	struct listener second = { .fd = -42 };
	struct why why;

	(void)state;
	assert_int_equal(listener_open(&second, &first.address, NULL, &why),
			 -EADDRINUSE);
	assert_string_equal(why.text, "another server listens on this address already");
	assert_int_equal(second.fd, -42);
	listener_close(&first);
}

static void a_port_can_be_taken_again_right_after_a_connection(void **state)
{
	struct listener first = open_on("127.0.0.1:0");
	struct address address = first.address;
	int client = start_connecting(&address);
	int served = accept_one(&first);
	struct listener second = { .fd = -1 };
	struct why why;

	(void)state;
	close(served); /* the server closes first, so TIME_WAIT is on this side */
	close(client);
	listener_close(&first);
	assert_int_equal(listener_open(&second, &address, NULL, &why), 0);
	listener_close(&second);
}

static void the_wildcard_takes_clients_of_both_families(void **state)
{
	struct listener listener = open_on(":0");
	struct address ipv4 = { .length = sizeof(ipv4.any.in) };
	struct address ipv6 = listener.address;

	(void)state;
	ipv4.any.in.sin_family = AF_INET;
	ipv4.any.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ipv4.any.in.sin_port = listener.address.any.in.sin_port;
	serves_a_client(&listener, &ipv4);
	if (address_family(&ipv6) == AF_INET6) {
		ipv6.any.in6.sin6_addr = in6addr_loopback;
		serves_a_client(&listener, &ipv6);
	}
	listener_close(&listener);
}

static bool kernel_takes_filters(void)
{
	struct sock_filter all[] = { BPF_STMT(BPF_RET | BPF_K, 0xffffffff) };
	struct sock_fprog filter = { COUNT(all), all };
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	int err = setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter));

	close(fd);
	return err == 0;
}

static void queued_clients_are_served_after_new_ones_are_refused(void **state)
{
	struct listener listener;
	int queued, late, served;

	(void)state;
	if (!kernel_takes_filters())
		skip_because("SO_ATTACH_FILTER is refused here");
	listener = open_on("127.0.0.1:0");
	queued = start_connecting(&listener.address);
	assert_true(connected_within(queued, PATIENCE));
	listener_refuse_new(&listener);
	late = start_connecting(&listener.address);
	assert_false(connected_within(late, NEVER));
	served = accept_one(&listener);
	assert_true(served >= 0);
	assert_int_equal(write(queued, "x", 1), 1);
	assert_int_equal(read(served, &(char){ 0 }, 1), 1);
	assert_int_equal(accept(listener.fd, NULL, NULL), -1);
	close(served);
	close(queued);
	close(late);
	listener_close(&listener);
}

static void a_unix_socket_is_made_and_removed(void **state)
{
	struct listener listener = open_on(unix_text);
	struct stat file;

	(void)state;
	assert_int_equal(lstat(path, &file), 0);
	assert_true(S_ISSOCK(file.st_mode));
	serves_a_client(&listener, &listener.address);
	listener_close(&listener);
	assert_int_equal(lstat(path, &file), -1);
}

static void a_unix_path_goes_when_new_clients_are_refused(void **state)
{
	struct listener listener = open_on(unix_text);
	int queued = start_connecting(&listener.address);

	(void)state;
	listener_refuse_new(&listener);
	assert_int_equal(access(path, F_OK), -1);
	close(accept_one(&listener));
	close(queued);
	listener_close(&listener);
}

static void a_unix_path_that_could_not_be_removed_goes_at_the_close(void **state)
{
	struct listener listener = open_on(unix_text);
	char elsewhere[64];

	(void)state;
	snprintf(elsewhere, sizeof(elsewhere), "%s.moved", folder);
	assert_int_equal(rename(folder, elsewhere), 0);
	close(open(folder, O_CREAT | O_WRONLY, 0600)); /* ENOTDIR for paths below it */
	listener_refuse_new(&listener);
	assert_int_equal(unlink(folder), 0);
	assert_int_equal(rename(elsewhere, folder), 0);
	assert_int_equal(access(path, F_OK), 0);
	listener_close(&listener);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_stale_unix_socket_is_replaced(void **state)
{
	struct listener dead = open_on(unix_text);
	struct listener listener;

	(void)state;
	close(dead.fd); /* as if its server had been killed: the path stays */
	listener = open_on(unix_text);
	serves_a_client(&listener, &listener.address);
	listener_close(&listener);
	assert_int_equal(access(path, F_OK), -1);
}

static void a_unix_socket_that_answers_is_left_alone(void **state)
{
	struct listener first = open_on(unix_text);
	struct listener second = { .fd = -42 };
	int probe;

	(void)state;
	assert_int_equal(try_open(&second, unix_text), -EADDRINUSE);
	assert_int_equal(second.fd, -42);
	probe = accept(first.fd, NULL, NULL); /* the probe of the second server */
	if (probe >= 0)
		close(probe);
	serves_a_client(&first, &first.address);
	listener_close(&first);
}

static void a_path_that_is_no_socket_is_left_alone(void **state)
{
	struct listener listener = { .fd = -42 };
	int fd = open(path, O_CREAT | O_WRONLY, 0600);

	(void)state;
	close(fd);
	assert_int_equal(try_open(&listener, unix_text), -EEXIST);
	assert_int_equal(listener.fd, -42);
	assert_int_equal(access(path, F_OK), 0);
	unlink(path);
}

static void the_path_of_another_server_is_not_removed(void **state)
{
	struct listener first = open_on(unix_text);
	struct listener second;

	(void)state;
	unlink(path);
	second = open_on(unix_text);
	listener_close(&first);
	assert_int_equal(access(path, F_OK), 0);
	serves_a_client(&second, &second.address);
	listener_close(&second);
}

static void an_address_that_is_not_ours_is_told(void **state)
{
	struct listener listener = { .fd = -42 };

	(void)state;
	assert_int_equal(try_open(&listener, "192.0.2.1:0"), -EADDRNOTAVAIL);
	assert_int_equal(try_open(&listener, "unix:/nonexistent/x"), -ENOENT);
	assert_int_equal(listener.fd, -42);
}

/* accept(2): errors of the next client's network, and our own. */
static void only_errors_of_the_next_client_are_called_so(void **state)
{
	static const int clients[] = {
		EINTR,       ECONNABORTED, EPERM,      EPROTO,       ENETDOWN,
		ENOPROTOOPT, EHOSTDOWN,    ENONET,     EHOSTUNREACH, EOPNOTSUPP,
		ENETUNREACH, ETIMEDOUT,    ECONNRESET,
	};
	static const int ours[] = { EMFILE, ENFILE, ENOBUFS,  ENOMEM,
				    EBADF,  EINVAL, ENOTSOCK, EFAULT };

	(void)state;
	for (size_t i = 0; i < COUNT(clients); i++)
		assert_true(accept_error_is_clients(clients[i]));
	for (size_t i = 0; i < COUNT(ours); i++)
		assert_false(accept_error_is_clients(ours[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(port_0_becomes_the_port_that_the_kernel_chose),
		promise(a_listener_neither_blocks_nor_survives_exec),
		promise(connections_send_at_once_and_probe_dead_peers),
		promise(dead_peers_are_found_out_in_the_times_that_were_asked_for),
		promise(a_taken_port_is_told_and_out_is_untouched),
		promise(a_port_can_be_taken_again_right_after_a_connection),
		promise(the_wildcard_takes_clients_of_both_families),
		promise(queued_clients_are_served_after_new_ones_are_refused),
		promise(a_unix_socket_is_made_and_removed),
		promise(a_unix_path_goes_when_new_clients_are_refused),
		promise(a_unix_path_that_could_not_be_removed_goes_at_the_close),
		promise(a_stale_unix_socket_is_replaced),
		promise(a_unix_socket_that_answers_is_left_alone),
		promise(a_path_that_is_no_socket_is_left_alone),
		promise(the_path_of_another_server_is_not_removed),
		promise(an_address_that_is_not_ours_is_told),
		promise(only_errors_of_the_next_client_are_called_so),
	};

	return cmocka_run_group_tests_name("listener", tests, make_folder,
					   remove_folder);
}
