#include "engine/program/program.h"

#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "engine/program/environment.h"
#include "engine/program/prelaunch.h"

static int prepare(struct program *program, const char *name, const char *const *env,
		   struct why *why)
{
	const char *argv[] = { name, NULL };
	struct prong_program asked = { .argv = argv, .env = env };
	int err = program_prepare(program, &asked, 0, why);

	return err < 0 ? err : program_find(program, why);
}

static void a_program_that_cannot_run_is_told_with_its_path(void **state)
{
	static const struct {
		const char *name;
		int error;
	} rows[] = {
		{ "/nonexistent/x", -ENOENT },
		{ "no-such-program-here", -ENOENT },
		{ "/tmp", -EACCES },
		{ "/etc/passwd", -EACCES },
		{ "", -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct program program;
		struct why why = { "" };

		assert_int_equal(prepare(&program, rows[i].name, NULL, &why),
				 rows[i].error);
		assert_non_null(strstr(why.text, rows[i].name));
	}
}

static void an_option_of_a_program_that_has_no_effect_is_refused(void **state)
{
	static const char *const argv[] = { "true", NULL };
	static const struct {
		struct prong_program asked;
		unsigned spare;
		const char *what;
	} rows[] = {
		{ { .hangup_grace = -1 }, 0, "hangup_grace" },
		{ { .hangup_grace = INT64_MAX }, 0, "hangup_grace" },
		{ { .hangup_grace = 1, .ignore_hangup = true }, 0, "hangup_grace" },
		{ { .umask = 022 }, 0, "umask" },
		{ { 0 }, 1, "spare" },
		{ { .warm = "/shim.so" }, 0, "warm" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct prong_program asked = rows[i].asked;
		struct program program;
		struct why why = { "" };

		asked.argv = argv;
		assert_int_equal(program_prepare(&program, &asked, rows[i].spare, &why),
				 -EINVAL);
		assert_non_null(strstr(why.text, rows[i].what));
	}
}

static int prepare_text(const char *text, struct why *why)
{
	char path[] = "/tmp/prong-test-XXXXXX";
	struct program program;
	int fd = mkstemp(path);
	int err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(fchmod(fd, 0755), 0);
	close(fd);
	err = prepare(&program, path, NULL, why);
	unlink(path);
	return err;
}

static void what_execve_would_not_take_is_refused(void **state)
{
	struct why why;

	(void)state;
	assert_int_equal(prepare_text("#!/bin/sh\n", &why), 0);
	assert_int_equal(prepare_text("#!  /bin/sh -e\n", &why), 0);
	assert_int_equal(prepare_text("echo no first line\n", &why), -ENOEXEC);
	assert_int_equal(prepare_text("", &why), -ENOEXEC);
	assert_int_equal(prepare_text("#!/no/such/interpreter\n", &why), -ENOENT);
	assert_non_null(strstr(why.text, "/no/such/interpreter"));
}

static void what_was_given_does_not_replace_what_is_known(void **state)
{
	static const char *const env[] = { "TCPREMOTEIP=1.2.3.4", "MINE=yes", "NOT_SET",
					   NULL };
	struct client client = { .fd = -1, .peer.length = sizeof(struct sockaddr_in) };
	struct environment environment;
	struct why why;
	struct program program;
	int addresses = 0, mine = 0;

	(void)state;
	client.peer.any.in.sin_family = AF_INET;
	unsetenv("NOT_SET");
	assert_int_equal(prepare(&program, "/bin/sh", env, &why), 0);
	environment_fill(&environment, &program, &client, 3);
	for (unsigned i = 0; i < environment.count; i++) {
		const char *variable = environment.at[i];

		addresses += strncmp(variable, "TCPREMOTEIP=", 12) == 0;
		mine += strcmp(variable, "MINE=yes") == 0;
		assert_string_not_equal(variable, "TCPREMOTEIP=1.2.3.4");
		assert_null(strstr(variable, "NOT_SET"));
	}
	assert_int_equal(addresses, 1);
	assert_int_equal(mine, 1);
	assert_null(environment.at[environment.count]);
}

static void only_a_dynamic_program_without_rights_can_be_warm(void **state)
{
	char binary[PATH_MAX];

	(void)state;
	assert_null(prelaunch_refused("/bin/sh", "/etc/passwd", binary));
	assert_non_null(prelaunch_refused("/bin/sh", "/nonexistent", binary));
	assert_non_null(prelaunch_refused("/etc/passwd", "/etc/passwd", binary));
	assert_non_null(prelaunch_refused("/nonexistent", "/etc/passwd", binary));
	if (access("/bin/su", R_OK) == 0)
		assert_non_null(prelaunch_refused("/bin/su", "/etc/passwd", binary));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		promise(a_program_that_cannot_run_is_told_with_its_path),
		promise(an_option_of_a_program_that_has_no_effect_is_refused),
		promise(what_execve_would_not_take_is_refused),
		promise(what_was_given_does_not_replace_what_is_known),
		promise(only_a_dynamic_program_without_rights_can_be_warm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
