/* prong_run(): the supervisor, and what it does to its host program. */
#include "running.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "pair.h"

#define LIMIT 100 /* of descriptors */

static void a_server_says_when_and_where_it_is_ready(void **state)
{
	static const char *const two[] = { "127.0.0.1:0", "127.0.0.1:0", NULL };
	struct running running = { .handler = echo, .options.listen = two };
	char second[TEXT_MAX];

	(void)state;
	start(&running);
	assert_int_equal(strncmp(running.address, "127.0.0.1:", 10), 0);
	read_line(running.ready[0], second);
	assert_int_equal(strncmp(second, "127.0.0.1:", 10), 0);
	assert_string_not_equal(second, running.address);
	serves(&running);
	strcpy(running.address, second);
	serves(&running);
	assert_int_equal(read(running.ready[0], second, 1), 0); /* it is closed */
	stop(&running);
}

static void each_stop_signal_ends_it_with_0(void **state)
{
	static const int signals[] = { SIGTERM, SIGINT, SIGQUIT };

	(void)state;
	for (size_t i = 0; i < COUNT(signals); i++) {
		struct running running = { .handler = echo, .options.spare = 2 };
		int quiet;

		start(&running);
		serves(&running);
		quiet = join(&running);
		echoes(quiet);
		if (signals[i] != SIGQUIT)
			close(quiet);
		kill(running.pid, signals[i]);
		stopped(&running);
		if (signals[i] == SIGQUIT)
			close(quiet);
	}
}

static int run_three(void *arg)
{
	struct running *running = arg;
	int ready = running->options.ready_fd;

	for (int i = 0; i < 3; i++) {
		running->options.ready_fd = dup(ready);
		child_must(run_server(running) == 0);
	}
	return 0;
}

static void servers_run_one_after_the_other_in_one_process(void **state)
{
	struct running running = { .handler = echo, .run = run_three };

	(void)state;
	start(&running);
	serves(&running);
	for (int i = 1; i < 3; i++) {
		kill(running.pid, SIGTERM);
		read_line(running.ready[0], running.address);
		serves(&running);
	}
	stop(&running);
}

static int run_two_opened_at_once(void *arg)
{
	struct running *running = arg;
	struct prong *first = NULL, *second = NULL;
	struct prong_options options = running->options;

	options.ready_fd = dup(options.ready_fd);
	child_must(prong_open(&first, &options, echo, NULL) == 0);
	child_must(prong_open(&second, &running->options, echo, NULL) == 0);
	child_must(prong_run(first) == 0);
	child_must(prong_run(second) == 0);
	prong_close(first);
	prong_close(second);
	return 0;
}

static void two_servers_can_be_open_at_once(void **state)
{
	struct running running = { .handler = echo, .run = run_two_opened_at_once };

	(void)state;
	start(&running);
	serves(&running);
	kill(running.pid, SIGTERM);
	read_line(running.ready[0], running.address);
	serves(&running);
	stop(&running);
}

static int unix_server(struct running *running, char *folder, char *path)
{
	const char *const listen[] = { path, NULL };
	struct stat file;

	assert_non_null(mkdtemp(folder));
	snprintf(path, TEXT_MAX, "unix:%s/socket", folder);
	running->options.listen = listen;
	start(running);
	assert_string_equal(running->address, path);
	assert_int_equal(stat(path + 5, &file), 0);
	stop(running);
	return stat(path + 5, &file);
}

static void a_unix_path_is_gone_at_the_end(void **state)
{
	struct running running = { .handler = echo };
	char folder[] = "/tmp/prong-unit-XXXXXX", path[TEXT_MAX];

	(void)state;
	assert_int_equal(unix_server(&running, folder, path), -1);
	assert_int_equal(rmdir(folder), 0);
}

static void signals_are_put_back_at_the_end(void **state)
{
	struct running running = {
		.handler = echo,
		.before = set_signals,
		.after = signals_are_as_set,
	};

	(void)state;
	start(&running);
	serves(&running);
	stop(&running);
}

static int run_again(void *arg)
{
	struct running *running = arg;
	char error[PRONG_ERROR_MAX] = "";
	struct prong *server = NULL;

	running->options.error = error;
	running->options.error_size = sizeof(error);
	child_must(prong_open(&server, &running->options, echo, NULL) == 0);
	child_must(prong_run(server) == 0);
	child_must(error[0] == '\0');
	set_signals();
	for (int i = 0; i < 2; i++) {
		child_must(prong_run(server) == -EINVAL);
		child_must(
			strcmp(error,
			       "prong_run() has been called before on this server") ==
			0);
		child_must(signals_are_as_set() == 0);
	}
	prong_close(server);
	return 0;
}

static void a_server_runs_once(void **state)
{
	struct running running = { .handler = echo, .run = run_again };

	(void)state;
	start(&running);
	serves(&running);
	stop(&running);
}

static int run_after_a_failure(void *arg)
{
	char error[PRONG_ERROR_MAX] = "";
	struct prong_options options = {
		.size = sizeof(options),
		.error = error,
		.error_size = sizeof(error),
	};
	struct rlimit none = { 3, 3 };
	struct prong *server;

	(void)arg;
	child_must(prong_open(&server, &options, echo, NULL) == 0);
	setrlimit(RLIMIT_NOFILE, &none);
	child_must(prong_run(server) == -EMFILE);
	child_must(strcmp(error, "cannot read signals: signalfd(2): "
				 "Too many open files") == 0);
	child_must(prong_run(server) == -EINVAL);
	prong_close(server);
	return 0;
}

static void a_run_that_fails_says_of_what_and_cannot_be_repeated(void **state)
{
	struct child_end end;

	(void)state;
	child_run(&end, run_after_a_failure, NULL);
	print_message("# %s\n", end.text);
	assert_int_equal(end.status, 0);
}

/*
 * Receives 0 bytes, before the first byte has come and when the next is there already.
 */
static int receives_nothing(struct prong_conn *conn, void *arg)
{
	char byte = 0;

	(void)arg;
	if (prong_recv(conn, NULL, 0) != 0 || prong_recv(conn, &byte, 1) != 1 ||
	    byte != 'a' || prong_recv(conn, &byte, 0) != 0 || byte != 'a' ||
	    prong_recv(conn, &byte, 1) != 1 || byte != 'b')
		return -EPROTO;
	return prong_send(conn, "whole", 5);
}

static void to_receive_no_bytes_is_not_the_end(void **state)
{
	struct running running = { .handler = receives_nothing };
	char text[5];
	int fd;

	(void)state;
	start(&running);
	fd = join(&running);
	assert_int_equal(write(fd, "ab", 2), 2);
	pair_read(fd, text, sizeof(text));
	assert_memory_equal(text, "whole", 5);
	close(fd);
	stop(&running);
}

/* Uses up all descriptors but a few. Returns the first one used. */
static int take_descriptors(int left)
{
	int first = dup(0);

	while (dup(0) >= 0)
		;
	for (int fd = LIMIT - left; fd < LIMIT; fd++)
		close(fd);
	return first;
}

static int run_short_of_descriptors(void *arg)
{
	struct prong_options options = {
		.size = sizeof(options),
	};
	struct rlimit limit = { LIMIT, LIMIT };
	struct prong *server;

	(void)arg;
	set_signals();
	child_must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (int missing = 3; missing > 0; missing--) {
		int err, first;

		child_must(prong_open(&server, &options, echo, NULL) == 0);
		first = take_descriptors(3 - missing);
		err = prong_run(server);
		for (int fd = first; fd < LIMIT; fd++)
			close(fd);
		child_must(err == -EMFILE);
		child_must(signals_are_as_set() == 0);
		prong_close(server);
		child_must(open_descriptors() == 3);
	}
	return 0;
}

static int lower_soft_limit(void)
{
	struct rlimit limit;

	child_must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	limit.rlim_cur = 77;
	child_must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	return 0;
}

static int soft_limit_is_as_set(void)
{
	struct rlimit limit;

	child_must(getrlimit(RLIMIT_NOFILE, &limit) == 0);
	child_must(limit.rlim_cur == 77);
	return 0;
}

static void a_hosts_limit_of_descriptors_is_put_back(void **state)
{
	static const char *const argv[] = { "cat", NULL };
	struct prong_program program = { .argv = argv };
	struct running running = {
		.options.program = &program,
		.options.max_processes = 300,
		.before = lower_soft_limit,
		.after = soft_limit_is_as_set,
	};
	int clients[100];

	(void)state;
	start(&running);
	for (size_t i = 0; i < COUNT(clients); i++) {
		clients[i] = join(&running);
		echoes(clients[i]);
	}
	for (size_t i = 0; i < COUNT(clients); i++)
		close(clients[i]);
	stop(&running);
}

static int run_short(void *arg)
{
	for (int fd = 3; fd < 1000; fd++)
		close(fd);
	return run_short_of_descriptors(arg);
}

static void a_start_without_descriptors_fails_and_leaves_no_trace(void **state)
{
	struct child_end end;

	(void)state;
	child_run(&end, run_short, NULL);
	print_message("# %s\n", end.text);
	assert_int_equal(end.status, 0);
}

static pid_t ended_child, living_child;

static int start_children(void)
{
	siginfo_t info;

	ended_child = fork();
	if (ended_child == 0)
		_exit(3);
	child_must(waitid(P_PID, (id_t)ended_child, &info, WEXITED | WNOWAIT) == 0);
	living_child = fork();
	if (living_child == 0)
		for (;;)
			pause();
	return 0;
}

static int only_the_living_child_is_left(void)
{
	int status;

	child_must(waitpid(ended_child, &status, 0) == -1 && errno == ECHILD);
	child_must(waitpid(living_child, &status, WNOHANG) == 0);
	kill(living_child, SIGKILL);
	child_must(waitpid(living_child, &status, 0) == living_child);
	child_must(waitpid(-1, &status, WNOHANG) == -1 && errno == ECHILD);
	return 0;
}

static void a_hosts_own_children_are_collected_but_not_ended(void **state)
{
	struct running running = {
		.handler = echo,
		.before = start_children,
		.after = only_the_living_child_is_left,
	};

	(void)state;
	start(&running);
	serves(&running);
	stop(&running);
}

static void a_client_over_the_limit_is_refused_with_a_text(void **state)
{
	struct running running = {
		.handler = echo,
		.options.max_processes = 1,
		.options.at_limit = PRONG_REFUSE,
		.options.refusal_text = "full, sorry\n",
	};
	char line[TEXT_MAX];
	int first, second;

	(void)state;
	start(&running);
	first = join(&running);
	echoes(first);
	second = join(&running);
	read_line(second, line);
	assert_string_equal(line, "full, sorry");
	assert_int_equal(pair_drain(second), 0);
	echoes(first);
	close(first);
	close(second);
	stop(&running);
}

static void keep_line(void *arg, const char *line, size_t length)
{
	FILE *out = arg;

	if (strlen(line) == length && strchr(line, '\n') == NULL)
		fprintf(out, "%s\n", line);
	fflush(out);
}

static void a_log_function_gets_whole_lines(void **state)
{
	struct running running = { .handler = echo, .options.log = keep_line };
	FILE *out = tmpfile();
	char line[TEXT_MAX] = "";

	(void)state;
	assert_non_null(out);
	running.options.log_arg = out;
	running.options.log_format = PRONG_LOG_JSON;
	start(&running);
	serves(&running);
	stop(&running);
	rewind(out);
	while (fgets(line, sizeof(line), out) != NULL) {
		assert_int_equal(strncmp(line, "{\"time\":\"", 9), 0);
		assert_string_equal(line + strlen(line) - 2, "}\n");
	}
	assert_non_null(strstr(line, "\"event\":\"stop\",\"accepted\":1,"));
	fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_server_says_when_and_where_it_is_ready),
		promise(each_stop_signal_ends_it_with_0),
		promise(servers_run_one_after_the_other_in_one_process),
		promise(two_servers_can_be_open_at_once),
		promise(a_unix_path_is_gone_at_the_end),
		promise(signals_are_put_back_at_the_end),
		promise(to_receive_no_bytes_is_not_the_end),
		promise(a_server_runs_once),
		promise(a_run_that_fails_says_of_what_and_cannot_be_repeated),
		promise(a_start_without_descriptors_fails_and_leaves_no_trace),
		promise(a_hosts_limit_of_descriptors_is_put_back),
		promise(a_hosts_own_children_are_collected_but_not_ended),
		promise(a_client_over_the_limit_is_refused_with_a_text),
		promise(a_log_function_gets_whole_lines),
	};

	return cmocka_run_group_tests_name("run", tests, NULL, NULL);
}
