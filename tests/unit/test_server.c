#include "prong.h"

#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define A10  "aaaaaaaaaa"
#define A100 A10 A10 A10 A10 A10 A10 A10 A10 A10 A10

static const char *const any_port[] = { "127.0.0.1:0", NULL };

static int echo(struct prong_conn *conn, void *arg)
{
	char buffer[4096];
	ssize_t n;

	(void)arg;
	while ((n = prong_recv(conn, buffer, sizeof(buffer))) > 0)
		if (prong_send(conn, buffer, (size_t)n) < 0)
			return -EPIPE;
	return (int)n;
}

static struct prong_options usual_options(void)
{
	return (struct prong_options){
		.size = sizeof(struct prong_options),
		.listen = any_port,
	};
}

static int64_t minus_one = -1, too_long = INT64_MAX;
static int negative = -1;
static unsigned too_many = 1000001;

#define FIELD(name)                           \
	offsetof(struct prong_options, name), \
		sizeof(((struct prong_options *)NULL)->name)

static void each_option_out_of_range_is_refused_with_a_reason(void **state)
{
	static const struct {
		size_t offset, size;
		const void *value;
	} rows[] = {
		{ FIELD(max_processes), &too_many },
		{ FIELD(at_limit), &negative },
		{ FIELD(idle_timeout), &minus_one },
		{ FIELD(idle_timeout), &too_long },
		{ FIELD(session_timeout), &minus_one },
		{ FIELD(session_timeout), &too_long },
		{ FIELD(grace), &too_long },
		{ FIELD(linger), &minus_one },
		{ FIELD(linger), &too_long },
		{ FIELD(ready_fd), &negative },
		{ FIELD(log_fd), &negative },
		{ FIELD(keep_fds), &negative },
	};
	int wrong = 0;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prong_options options = usual_options();
		struct prong *const untouched = (struct prong *)(void *)state;
		struct prong *server = untouched;
		char error[PRONG_ERROR_MAX] = "";
		int err;

		options.error = error;
		options.error_size = sizeof(error);
		memcpy((char *)&options + rows[i].offset, rows[i].value, rows[i].size);
		err = prong_open(&server, &options, echo, NULL);
		if (err == -EINVAL && strlen(error) > 5 && server == untouched)
			continue;
		print_error("# row %zu: %d, \"%s\"\n", i, err, error);
		wrong++;
		if (err == 0)
			prong_close(server);
	}
	assert_int_equal(wrong, 0);
}

static void an_option_without_effect_is_refused_in_words(void **state)
{
	static const char *const cat[] = { "cat", NULL };
	static const char *const all[] = { "all", NULL };
	static const struct prong_program cold = { .argv = cat };
	static const struct prong_program warm = { .argv = cat, .warm = "/shim" };
	static const struct prong_program deaf = { .argv = cat,
						   .ignore_hangup = true,
						   .hangup_grace = 5 };
	static const struct prong_program masked = { .argv = cat, .umask = 022 };
	static const struct {
		struct prong_options options;
		const char *says;
	} rows[] = {
		{ { .exempt = all }, "exempt has no effect" },
		{ { .source_prefix_ipv6 = 56 }, "source_prefix has no effect" },
		{ { .source_prefix_ipv4 = 24, .rate = { 1, 1, 0 } }, "source_prefix" },
		{ { .refusal_text = "later" }, "refusal_text have no effect" },
		{ { .refusal = PRONG_REFUSAL_RESET }, "have no effect" },
		{ { .program = &cold, .spare = 8 }, "spare has no effect" },
		{ { .program = &warm }, "warm needs spare" },
		{ { .program = &deaf }, "hangup_grace" },
		{ { .program = &masked }, "set_umask" },
		{ { .accept = PRONG_ACCEPT_WORKERS,
		    .reuse = 2,
		    .spare = 1,
		    .exempt = all },
		  "cannot limit" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prong_options options = rows[i].options;
		char error[PRONG_ERROR_MAX] = "";
		struct prong *server = NULL;

		options.size = sizeof(options);
		options.listen = any_port;
		options.error = error;
		options.error_size = sizeof(error);
		assert_int_equal(prong_open(&server, &options,
					    options.program == NULL ? echo : NULL,
					    NULL),
				 -EINVAL);
		print_message("# %s\n", error);
		assert_null(server);
		assert_non_null(strstr(error, rows[i].says));
	}
}

static void a_bad_address_is_told_in_words(void **state)
{
	static const struct {
		const char *address;
		int err;
		const char *says;
	} rows[] = {
		{ "127.0.0.1:65536", -EINVAL, "\"65536\" is not a number from 0" },
		{ "127.0.0.1", -EINVAL, "host:port" },
		{ "::1:80", -EINVAL, "[address]:port" },
		{ "", -EINVAL, "host:port" },
		{ "unix:", -EINVAL, "path is missing" },
		{ "unix:" A100 "12345678", -ENAMETOOLONG, "108 bytes" },
		{ "unix:/nonexistent/x", -ENOENT, "unix:/nonexistent/x" },
		{ "unix:/dev/null", -EEXIST, "not a socket" },
		{ "192.0.2.1:80", -EADDRNOTAVAIL, "192.0.2.1:80" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const char *const listen[] = { "127.0.0.1:0", rows[i].address, NULL };
		struct prong_options options = usual_options();
		char error[PRONG_ERROR_MAX] = "", tiny[5];
		struct prong *server = NULL;

		options.listen = listen;
		options.error = error;
		options.error_size = sizeof(error);
		print_message("# \"%s\"\n", rows[i].address);
		assert_int_equal(prong_open(&server, &options, echo, NULL),
				 rows[i].err);
		assert_null(server);
		assert_non_null(strstr(error, rows[i].says));
		options.error = tiny;
		options.error_size = sizeof(tiny);
		assert_int_equal(prong_open(&server, &options, echo, NULL),
				 rows[i].err);
		assert_int_equal(strlen(tiny), sizeof(tiny) - 1);
	}
}

static void an_address_in_use_is_told(void **state)
{
	struct prong_options options = usual_options();
	char address[128], error[PRONG_ERROR_MAX];
	const char *const listen[] = { address, NULL };
	struct prong *first, *second = NULL;

	(void)state;
	assert_int_equal(prong_open(&first, &options, echo, NULL), 0);
	assert_int_equal(prong_listener(first, 0, address, sizeof(address)), 0);
	options.listen = listen;
	options.error = error;
	options.error_size = sizeof(error);
	assert_int_equal(prong_open(&second, &options, echo, NULL), -EADDRINUSE);
	assert_null(second);
	assert_non_null(strstr(error, address));
	options.error = NULL;
	assert_int_equal(prong_open(&second, &options, echo, NULL), -EADDRINUSE);
	prong_close(first);
	assert_int_equal(prong_open(&second, &options, echo, NULL), 0);
	prong_close(second);
	prong_close(NULL);
}

static void no_address_and_too_many_are_refused(void **state)
{
	static const char *const none[] = { NULL };
	const char *many[100] = { NULL };
	struct prong_options options = usual_options();
	struct prong *server = NULL;

	(void)state;
	options.listen = none;
	assert_int_equal(prong_open(&server, &options, echo, NULL), -EINVAL);
	for (int i = 0; i < 99; i++)
		many[i] = "127.0.0.1:0";
	options.listen = many;
	assert_int_equal(prong_open(&server, &options, echo, NULL), -EINVAL);
	assert_null(server);
}

static void each_listener_tells_its_address(void **state)
{
	static const char *const listen[] = { "127.0.0.1:0", "127.0.0.2:0", NULL };
	struct prong_options options = usual_options();
	struct prong *server;
	char text[128] = "untouched";

	(void)state;
	options.listen = listen;
	assert_int_equal(prong_open(&server, &options, echo, NULL), 0);
	assert_int_equal(prong_listener(server, 2, text, sizeof(text)), -ENOENT);
	assert_int_equal(prong_listener(server, 0, text, 0), -ENOSPC);
	assert_int_equal(prong_listener(server, 0, text, 11), -ENOSPC);
	assert_string_equal(text, "untouched");
	assert_int_equal(prong_listener(server, 1, text, sizeof(text)), 0);
	assert_int_equal(strncmp(text, "127.0.0.2:", 10), 0);
	assert_int_not_equal(atoi(text + 10), 0);
	assert_int_equal(prong_listener(server, 0, text, strlen(text)), -ENOSPC);
	assert_int_equal(prong_listener(server, 0, text, strlen(text) + 2), 0);
	prong_close(server);
}

static void any_listeners_address_fits_128_bytes(void **state)
{
	char folder[] = "/tmp/prong-unit-XXXXXX", path[128], text[128];
	const char *const listen[] = { path, NULL };
	struct prong_options options = usual_options();
	struct prong *server;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "unix:%s/", folder);
	while (strlen(path) + 2 <= 107 + strlen("unix:"))
		strcat(path, "\xc3\xa4");
	options.listen = listen;
	assert_int_equal(prong_open(&server, &options, echo, NULL), 0);
	assert_int_equal(prong_listener(server, 0, text, sizeof(text)), 0);
	prong_close(server);
	assert_int_equal(rmdir(folder), 0);
}

static void the_library_tells_its_version(void **state)
{
	(void)state;
	assert_string_equal(prong_version(), PRONG_VERSION);
}

static int exits_seen;

static void see_exit(int number)
{
	(void)number;
	exits_seen++;
}

/*
 * It makes a child to try out what children will do, which must not reach the host
 * program.
 */
static void what_is_tried_first_tells_no_sigchld(void **state)
{
	static const struct prong_rlimit limit = { 0, UINT64_MAX, UINT64_MAX };
	static const struct prong_privileges privileges = { .limits = &limit,
							    .limit_count = 1 };
	struct sigaction mine = { .sa_handler = see_exit }, before;
	struct prong_options options = usual_options();
	struct prong *server;

	(void)state;
	options.privileges = &privileges;
	sigaction(SIGCHLD, &mine, &before);
	for (int i = 0; i < 10; i++) {
		assert_int_equal(prong_open(&server, &options, echo, NULL), 0);
		prong_close(server);
	}
	sigaction(SIGCHLD, &before, NULL);
	assert_int_equal(exits_seen, 0);
	assert_int_equal(waitpid(-1, NULL, __WALL | WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

static void ids_without_a_word_that_they_count_are_refused(void **state)
{
	struct prong_privileges privileges = { .uid = 65534 };
	struct prong_options options = usual_options();
	struct prong *server;

	(void)state;
	options.privileges = &privileges;
	assert_int_equal(prong_open(&server, &options, echo, NULL), -EINVAL);
	privileges = (struct prong_privileges){ .limit_count = 1 };
	assert_int_equal(prong_open(&server, &options, echo, NULL), -EINVAL);
	options.privileges = NULL;
	options.listen_fd_count = 1;
	assert_int_equal(prong_open(&server, &options, echo, NULL), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(each_option_out_of_range_is_refused_with_a_reason),
		promise(an_option_without_effect_is_refused_in_words),
		promise(a_bad_address_is_told_in_words),
		promise(an_address_in_use_is_told),
		promise(no_address_and_too_many_are_refused),
		promise(each_listener_tells_its_address),
		promise(any_listeners_address_fits_128_bytes),
		promise(the_library_tells_its_version),
		promise(what_is_tried_first_tells_no_sigchld),
		promise(ids_without_a_word_that_they_count_are_refused),
	};

	return cmocka_run_group_tests_name("server", tests, NULL, NULL);
}
