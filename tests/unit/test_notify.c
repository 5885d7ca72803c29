#include "engine/supervisor/notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

static char folder[] = "/tmp/prong-unit-XXXXXX";
static char path[64];
static int manager; /* the socket of a service manager */
static struct notify notify;
static char heard[1024];

/* A datagram socket of that path. */
static int listen_at(const char *name)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);

	memcpy(address.sun_path, name, strlen(name));
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

static int open_manager(void **state)
{
	note_what_is_open(state);
	manager = listen_at(path);
	return notify_open(&notify, path);
}

static int close_manager(void **state)
{
	notify_close(&notify);
	close(manager);
	unlink(path);
	return nothing_is_left(state);
}

static int make_folder(void **state)
{
	(void)state;
	if (mkdtemp(folder) == NULL)
		return -1;
	snprintf(path, sizeof(path), "%s/notify", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

/* What the manager received last; fails the test if that is not one message. */
static const char *told(void)
{
	ssize_t n = recv(manager, heard, sizeof(heard) - 1, MSG_DONTWAIT);

	assert_true(n > 0);
	heard[n] = '\0';
	assert_int_equal(recv(manager, NULL, 0, MSG_DONTWAIT), -1);
	return heard;
}

static void readiness_is_told_with_every_address(void **state)
{
	(void)state;
	notify_ready(&notify);
	assert_string_equal(told(), "READY=1\nSTATUS=Serving");
	notify_add_address(&notify, "127.0.0.1:7");
	notify_ready(&notify);
	assert_string_equal(told(), "READY=1\nSTATUS=Serving on 127.0.0.1:7");
	notify_add_address(&notify, "[::1]:7");
	notify_add_address(&notify, "unix:/run/echo");
	notify_ready(&notify);
	assert_string_equal(
		told(),
		"READY=1\nSTATUS=Serving on 127.0.0.1:7, [::1]:7, unix:/run/echo");
}

static void the_limit_is_told_and_that_it_is_left(void **state)
{
	(void)state;
	notify_add_address(&notify, "127.0.0.1:7");
	notify_full(&notify, 10, true);
	assert_string_equal(told(),
			    "STATUS=All 10 processes are serving: new clients wait");
	notify_full(&notify, 1, false);
	assert_string_equal(
		told(), "STATUS=All 1 processes are serving: new clients are refused");
	notify_serving(&notify);
	assert_string_equal(told(), "READY=1\nSTATUS=Serving on 127.0.0.1:7");
}

/* Five seconds more than the grace. */
static void a_stop_is_told_with_the_time_it_may_take(void **state)
{
	(void)state;
	notify_stopping(&notify, 3, 30000000);
	assert_string_equal(told(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=35000000\n"
				    "STATUS=Stopping, sessions still open: 3");
	notify_stopping(&notify, 0, 0);
	assert_string_equal(told(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=5000000\n"
				    "STATUS=Stopping, sessions still open: 0");
	notify_stopping(&notify, INT64_MAX, INT64_C(86400) * 365 * 1000000);
	assert_non_null(strstr(told(), "EXTEND_TIMEOUT_USEC=31536005000000\n"));
}

/* As many addresses of that length as fit completely. */
static void list_of_length(size_t length, unsigned count)
{
	char address[128], all[64 * 130] = "Serving on ";
	const char *dots;

	memset(address, 'a', length);
	address[length] = '\0';
	notify_close(&notify);
	assert_int_equal(notify_open(&notify, path), 0);
	for (unsigned i = 0; i < count; i++) {
		address[0] = (char)('b' + i % 20);
		strcat(strcat(all, i > 0 ? ", " : ""), address);
		notify_add_address(&notify, address);
	}
	notify_ready(&notify);
	assert_int_equal(strncmp(told(), "READY=1\nSTATUS=", 15), 0);
	assert_true(strlen(heard + 15) < NOTIFY_STATUS_MAX);
	dots = strstr(heard, ", ...");
	if (dots == NULL) {
		assert_string_equal(heard + 15, all);
		return;
	}
	assert_string_equal(dots, ", ...");
	assert_memory_equal(heard + 15, all, (size_t)(dots - heard - 15));
	/* Only whole ones: after the last one the list continues with the next. */
	assert_memory_equal(all + (dots - heard - 15), ", ", 2);
}

static void a_long_list_of_addresses_ends_in_dots(void **state)
{
	(void)state;
	for (size_t length = 1; length < 127; length++)
		for (unsigned count = 1; count <= 64; count++)
			list_of_length(length, count);
}

static void nothing_comes_behind_the_dots(void **state)
{
	char path_100[101] = "unix:/";

	(void)state;
	memset(path_100 + 6, 'x', 94);
	for (int i = 0; i < 3; i++)
		notify_add_address(&notify, path_100);
	notify_add_address(&notify, "127.0.0.1:7");
	notify_ready(&notify);
	told();
	assert_string_equal(heard + strlen(heard) - 8, "xxx, ...");
}

static void without_a_manager_nothing_is_told(void **state)
{
	struct notify none;

	(void)state;
	assert_int_equal(notify_open(&none, NULL), 0);
	assert_int_equal(none.fd, -1);
	assert_int_equal(none.error, 0);
	notify_add_address(&none, "127.0.0.1:7");
	notify_ready(&none);
	notify_stopping(&none, 1, 1);
	notify_close(&none);
}

static void a_manager_that_cannot_be_reached_is_no_failure(void **state)
{
	static char longest[108] = "/tmp/", too_long[109] = "/tmp/";
	static const struct {
		const char *name;
		int error;
	} rows[] = {
		{ "", EAFNOSUPPORT },
		{ "relative", EAFNOSUPPORT },
		{ "vsock:2:1234", EAFNOSUPPORT },
		{ "@", EAFNOSUPPORT },
		{ "/", EAFNOSUPPORT },
		{ "/nonexistent/notify", ENOENT },
		{ "@prong-unit-nothing-here", ECONNREFUSED },
		{ longest, ENOENT },
		{ too_long, ENAMETOOLONG },
	};

	(void)state;
	memset(longest + 5, 'x', sizeof(longest) - 6);
	memset(too_long + 5, 'x', sizeof(too_long) - 6);
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct notify none;

		print_message("# %s\n", rows[i].name);
		assert_int_equal(notify_open(&none, rows[i].name), 0);
		assert_int_equal(none.error, rows[i].error);
		assert_int_equal(none.fd, -1);
		notify_ready(&none);
		notify_close(&none);
	}
}

static void what_is_not_a_managers_socket_is_no_failure_either(void **state)
{
	char name[80];
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct notify none;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	snprintf(name, sizeof(name), "%s/other", folder);
	strcpy(address.sun_path, name);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(notify_open(&none, name), 0);
	assert_int_equal(none.error, EPROTOTYPE);
	assert_int_equal(none.fd, -1);
	close(fd);
	unlink(name);
	close(listen_at(name)); /* its file stays */
	assert_int_equal(notify_open(&none, name), 0);
	assert_int_equal(none.error, ECONNREFUSED);
	unlink(name);
	close(creat(name, 0600));
	assert_int_equal(notify_open(&none, name), 0);
	assert_int_equal(none.error, ECONNREFUSED);
	assert_int_equal(none.fd, -1);
	unlink(name);
}

static void the_longest_path_is_reached(void **state)
{
	char longest[108];
	int path_manager = manager;
	struct notify own;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	memcpy(longest, folder, strlen(folder));
	longest[strlen(folder)] = '/';
	manager = listen_at(longest);
	assert_int_equal(notify_open(&own, longest), 0);
	assert_int_equal(own.error, 0);
	notify_ready(&own);
	assert_string_equal(told(), "READY=1\nSTATUS=Serving");
	notify_close(&own);
	close(manager);
	unlink(longest);
	manager = path_manager;
}

static void an_abstract_name_is_reached(void **state)
{
	char name[64];
	int path_manager = manager;
	struct notify own;
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	(void)state;
	snprintf(name, sizeof(name), "@prong-unit-%d", getpid());
	strcpy(address.sun_path + 1, name + 1);
	manager = socket(AF_UNIX, SOCK_DGRAM, 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&address,
			      (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
					  strlen(name))),
			 0);
	assert_int_equal(notify_open(&own, name), 0);
	assert_int_equal(own.error, 0);
	notify_ready(&own);
	assert_string_equal(told(), "READY=1\nSTATUS=Serving");
	notify_close(&own);
	close(manager);
	manager = path_manager;
}

/* More messages than its queue takes. */
static void a_manager_that_does_not_read_is_not_waited_for(void **state)
{
	(void)state;
	for (int i = 0; i < 10000; i++) {
		notify_full(&notify, 1, true);
		notify_serving(&notify);
		notify_stopping(&notify, 1, 1);
	}
	assert_true(recv(manager, heard, sizeof(heard), MSG_DONTWAIT) > 0);
}

static void a_manager_that_has_gone_is_not_missed(void **state)
{
	(void)state;
	close(manager);
	manager = -1;
	notify_ready(&notify);
	notify_stopping(&notify, 1, 1);
	notify_serving(&notify);
}

#define with_manager(function) \
	cmocka_unit_test_setup_teardown(function, open_manager, close_manager)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_manager(readiness_is_told_with_every_address),
		with_manager(the_limit_is_told_and_that_it_is_left),
		with_manager(a_stop_is_told_with_the_time_it_may_take),
		with_manager(a_long_list_of_addresses_ends_in_dots),
		with_manager(nothing_comes_behind_the_dots),
		with_manager(without_a_manager_nothing_is_told),
		with_manager(a_manager_that_cannot_be_reached_is_no_failure),
		with_manager(what_is_not_a_managers_socket_is_no_failure_either),
		with_manager(the_longest_path_is_reached),
		with_manager(an_abstract_name_is_reached),
		with_manager(a_manager_that_does_not_read_is_not_waited_for),
		with_manager(a_manager_that_has_gone_is_not_missed),
	};

	return cmocka_run_group_tests_name("notify", tests, make_folder, remove_folder);
}
