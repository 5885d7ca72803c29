/* Options of programs that were built with another version of prong.h. */
#include "engine/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

static const char *const any_port[] = { "127.0.0.1:0", NULL };

static int serve(struct prong_conn *conn, void *arg)
{
	(void)conn, (void)arg;
	return 0;
}

/*
 * Opens a server with size bytes of options, and closes it. They are on the heap, so
 * that the sanitizer notices reads beyond them. Every byte after those that this
 * version knows is fill.
 */
static int open_sized(const struct prong_options *options, size_t size,
		      unsigned char fill)
{
	unsigned char *copy = malloc(size);
	struct prong *const untouched = (struct prong *)(void *)any_port;
	struct prong *server = untouched;
	int err;

	assert_non_null(copy);
	memset(copy, fill, size);
	memcpy(copy, options, size < sizeof(*options) ? size : sizeof(*options));
	memcpy(copy, &size, sizeof(size));
	err = prong_open(&server, (const struct prong_options *)(void *)copy, serve,
			 NULL);
	free(copy);
	if (err == 0)
		prong_close(server);
	else
		assert_ptr_equal(server, untouched);
	return err;
}

static void options_of_this_version_are_taken(void **state)
{
	const struct prong_options options = { .listen = any_port };

	(void)state;
	assert_int_equal(open_sized(&options, sizeof(options), 0), 0);
}

static void fields_that_an_older_program_lacks_are_zero(void **state)
{
	static const size_t sizes[] = {
		OPTIONS_SIZE_MIN,
		offsetof(struct prong_options, max_processes),
		offsetof(struct prong_options, keep_fds),
		offsetof(struct prong_options, user_first),
	};
	/* A value out of range, in a field that lies beyond these sizes. */
	const struct prong_options options = { .listen = any_port, .user_count = 1 };

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++)
		assert_int_equal(open_sized(&options, sizes[i], 0), 0);
	assert_int_equal(open_sized(&options, sizeof(options), 0), -EINVAL);
}

static void fields_that_an_older_program_has_count(void **state)
{
	const struct prong_options options = { .listen = any_port,
					       .max_processes = 1000001 };

	(void)state;
	assert_int_equal(
		open_sized(&options, offsetof(struct prong_options, keep_fds), 0),
		-EINVAL);
}

static void a_newer_program_that_uses_nothing_new_is_served(void **state)
{
	static const size_t more[] = { 1, 8, 64 };
	const struct prong_options options = { .listen = any_port };

	(void)state;
	for (size_t i = 0; i < COUNT(more); i++)
		assert_int_equal(open_sized(&options, sizeof(options) + more[i], 0), 0);
	assert_int_equal(open_sized(&options, OPTIONS_SIZE_MAX, 0), 0);
}

static void an_option_that_is_not_known_is_refused_in_words(void **state)
{
	static const size_t more[] = { 1, 8, 64 };
	char error[PRONG_ERROR_MAX];
	const struct prong_options options = { .listen = any_port,
					       .error = error,
					       .error_size = sizeof(error) };

	(void)state;
	for (size_t i = 0; i < COUNT(more); i++) {
		error[0] = '\0';
		assert_int_equal(open_sized(&options, sizeof(options) + more[i], 1),
				 -E2BIG);
		assert_non_null(strstr(error, "does not know"));
		assert_non_null(strstr(error, PRONG_VERSION));
	}
}

/* Only the last byte. */
static void every_byte_behind_is_looked_at(void **state)
{
	unsigned char bytes[sizeof(struct prong_options) + 64] = { 0 };
	const struct prong_options options = { .size = sizeof(bytes),
					       .listen = any_port };
	struct prong_options own;
	struct why why;

	(void)state;
	memcpy(bytes, &options, sizeof(options));
	assert_int_equal(
		options_copy(&own, (struct prong_options *)(void *)bytes, &why), 0);
	assert_int_equal(own.size, sizeof(own));
	assert_ptr_equal(own.listen, any_port);
	bytes[sizeof(bytes) - 1] = 0x80;
	assert_int_equal(
		options_copy(&own, (struct prong_options *)(void *)bytes, &why),
		-E2BIG);
}

static void a_size_that_was_never_set_is_refused(void **state)
{
	static const size_t small[] = { 0, 1, sizeof(size_t), OPTIONS_SIZE_MIN - 1 };
	const struct prong_options options = { .listen = any_port };

	(void)state;
	for (size_t i = 0; i < COUNT(small); i++) {
		/* size itself is always there. */
		struct prong_options *copy = malloc(OPTIONS_SIZE_MIN - 1);
		struct prong *server = NULL;
		int err;

		assert_non_null(copy);
		memcpy(copy, &options, OPTIONS_SIZE_MIN - 1);
		memcpy(copy, &small[i], sizeof(size_t));
		err = prong_open(&server, copy, serve, NULL);
		free(copy);
		assert_int_equal(err, -EINVAL);
		assert_null(server);
	}
}

static void a_size_beyond_reason_is_refused_in_words_and_not_followed(void **state)
{
	static const size_t large[] = { OPTIONS_SIZE_MAX + 1, SIZE_MAX };
	char error[PRONG_ERROR_MAX];
	struct prong_options options = { .listen = any_port,
					 .error = error,
					 .error_size = sizeof(error) };
	struct prong *server = NULL;

	(void)state;
	for (size_t i = 0; i < COUNT(large); i++) {
		error[0] = '\0';
		options.size = large[i];
		assert_int_equal(prong_open(&server, &options, serve, NULL), -E2BIG);
		assert_non_null(strstr(error, "options.size"));
		assert_null(server);
	}
}

/* What prong_open() says to these options, for a server on listen. */
static int open_with_socket(const char *listen, struct prong_options options,
			    char error[PRONG_ERROR_MAX])
{
	const char *const texts[] = { listen, NULL };
	struct prong *server;
	int err;

	options.size = sizeof(options);
	options.listen = texts;
	options.error = error;
	options.error_size = PRONG_ERROR_MAX;
	err = prong_open(&server, &options, serve, NULL);
	if (err == 0)
		prong_close(server);
	return err;
}

static void a_sockets_mode_and_owner_need_a_socket_with_a_path(void **state)
{
	static const char *const without[] = { "127.0.0.1:0", "unix:@none" };
	const struct prong_options mode = { .socket.mode = 0600 };
	const struct prong_options owner = {
		.socket.change_owner = true,
		.socket.uid = getuid(),
		.socket.gid = (gid_t)-1,
	};
	const struct prong_options half = { .socket.uid = 1 };
	const struct prong_options over = { .socket.mode = 01600 };
	char folder[] = "/tmp/prong-unit-XXXXXX";
	char error[PRONG_ERROR_MAX], path[64];

	(void)state;
	for (size_t i = 0; i < COUNT(without); i++) {
		assert_int_equal(open_with_socket(without[i], mode, error), -EINVAL);
		assert_non_null(strstr(error, "UNIX sockets with a path"));
		assert_int_equal(open_with_socket(without[i], owner, error), -EINVAL);
	}
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "unix:%s/socket", folder);
	assert_int_equal(open_with_socket(path, half, error), -EINVAL);
	assert_int_equal(open_with_socket(path, over, error), -EINVAL);
	assert_int_equal(open_with_socket(path, mode, error), 0);
	assert_int_equal(open_with_socket(path, owner, error), 0);
	assert_int_equal(rmdir(folder), 0);
}

/* For programs, unless handler is given. */
static int open_with_users(struct prong_options options, prong_handler *handler,
			   char error[PRONG_ERROR_MAX])
{
	static const char *const argv[] = { "cat", NULL };
	static const struct prong_program program = { .argv = argv };
	struct prong *server;
	int err;

	options.size = sizeof(options);
	options.listen = any_port;
	options.program = handler == NULL ? &program : NULL;
	options.error = error;
	options.error_size = PRONG_ERROR_MAX;
	err = prong_open(&server, &options, handler, NULL);
	if (err == 0)
		prong_close(server);
	return err;
}

static void a_range_of_users_that_cannot_be_had_is_refused_in_words(void **state)
{
	static const struct prong_privileges other = { .change_ids = true, .uid = 1 };
	static const struct prong_privileges dropped = {
		.drop = PRONG_DROP_SUPERVISOR,
	};
	static const struct {
		struct prong_options options;
		prong_handler *handler;
		const char *says;
	} rows[] = {
		{ { .user_first = 5 }, NULL, "user-range must have 2 to" },
		{ { .user_count = 5 }, NULL, "user-range must have 2 to" },
		{ { .user_first = 5, .user_count = 16777217 }, NULL, "must have 2 to" },
		{ { .user_first = UINT32_MAX - 1, .user_count = 2 },
		  NULL,
		  "must have 2 to" },
		{ { .user_first = UINT32_MAX, .user_count = 1 },
		  NULL,
		  "must have 2 to" },
		{ { .user_first = 5, .user_count = UINT32_MAX },
		  NULL,
		  "must have 2 to" },
		{ { .user_first = 5, .user_count = 1999 }, NULL, "needs 2000" },
		{ { .user_first = 5, .user_count = 9, .max_processes = 5 },
		  NULL,
		  "has 9 ids but needs 10" },
		{ { .user_first = 5, .user_count = 2000, .privileges = &other },
		  NULL,
		  "be combined with another user" },
		{ { .user_first = 5, .user_count = 2000, .privileges = &dropped },
		  NULL,
		  "drop-privileges child" },
		{ { .user_first = 5, .user_count = 2000 }, serve, "is for programs" },
		{ { .user_first = 5,
		    .user_count = 2000,
		    .spare = 1,
		    .reuse = 2,
		    .accept = PRONG_ACCEPT_WORKERS },
		  serve,
		  "is for programs" },
	};
	char error[PRONG_ERROR_MAX];

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		error[0] = '\0';
		assert_int_equal(
			open_with_users(rows[i].options, rows[i].handler, error),
			-EINVAL);
		assert_non_null(strstr(error, rows[i].says));
	}
}

static void a_range_of_users_needs_rights_and_ids_of_others(void **state)
{
	const struct prong_options options = { .user_first = 2100000000,
					       .user_count = 2,
					       .max_processes = 1 };
	struct prong_options ours = options;
	char error[PRONG_ERROR_MAX];

	(void)state;
	if (getuid() == 0) {
		assert_int_equal(open_with_users(options, NULL, error), 0);
		return;
	}
	assert_int_equal(open_with_users(options, NULL, error), -EPERM);
	ours.user_first = getuid();
	assert_int_equal(open_with_users(ours, NULL, error), -EINVAL);
	assert_non_null(strstr(error, "the supervisor's own user"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(options_of_this_version_are_taken),
		promise(fields_that_an_older_program_lacks_are_zero),
		promise(fields_that_an_older_program_has_count),
		promise(a_newer_program_that_uses_nothing_new_is_served),
		promise(an_option_that_is_not_known_is_refused_in_words),
		promise(every_byte_behind_is_looked_at),
		promise(a_size_that_was_never_set_is_refused),
		promise(a_size_beyond_reason_is_refused_in_words_and_not_followed),
		promise(a_sockets_mode_and_owner_need_a_socket_with_a_path),
		promise(a_range_of_users_that_cannot_be_had_is_refused_in_words),
		promise(a_range_of_users_needs_rights_and_ids_of_others),
	};

	return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
