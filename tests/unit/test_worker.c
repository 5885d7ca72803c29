/* What prong.h promises to a handler, seen from the worker that runs it. */
#include "running.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <dirent.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "child.h"
#include "pair.h"

/* Sends what each descriptor is, except the connection and the directory's own. */
static void tell_descriptors(struct prong_conn *conn)
{
	DIR *folder = opendir("/proc/self/fd");
	struct dirent *entry;

	while ((entry = readdir(folder)) != NULL) {
		int fd = atoi(entry->d_name);
		char target[100] = "";

		if (entry->d_name[0] == '.' || fd == dirfd(folder) ||
		    fd == prong_conn_fd(conn))
			continue;
		if (readlinkat(dirfd(folder), entry->d_name, target,
			       sizeof(target) - 1) < 0)
			continue;
		if (fd > 2 || strncmp(target, "socket:", 7) == 0 ||
		    strncmp(target, "anon_inode:", 11) == 0)
			say(conn, "descriptor %d %s\n", fd, target);
	}
	closedir(folder);
}

/* Sends everything about the process that differs from what prong.h promises. */
static int inspect(struct prong_conn *conn, void *arg)
{
	struct sigaction action;
	struct sockaddr_in me;
	socklen_t length = sizeof(me);
	sigset_t mask;
	int death = 0;

	sigprocmask(SIG_SETMASK, NULL, &mask);
	for (int number = 1; number < 32; number++) {
		if (sigismember(&mask, number))
			say(conn, "signal %d is blocked\n", number);
		if (sigaction(number, NULL, &action) == 0 &&
		    action.sa_handler != SIG_DFL)
			say(conn, "signal %d has a handler\n", number);
	}
	if (getpgrp() != getpid())
		say(conn, "no process group of its own\n");
	if (getsid(0) != getpid())
		say(conn, "no session of its own\n");
	if (prctl(PR_GET_PDEATHSIG, &death) < 0 || death != SIGKILL)
		say(conn, "it does not die with the supervisor\n");
	if (strcmp(arg, "arg") != 0)
		say(conn, "arg is lost\n");
	tell_descriptors(conn);
	if (getsockname(prong_conn_fd(conn), (struct sockaddr *)&me, &length) == 0 &&
	    prong_conn_peer(conn, NULL)->sa_family != AF_INET)
		say(conn, "the peer is no IPv4 address\n");
	say(conn, "%llu\n", (unsigned long long)prong_conn_id(conn));
	return 0;
}

/* Has a worker inspected; all lines but the last are complaints. */
static void inspected(const struct running *running, unsigned id)
{
	char text[TEXT_MAX] = "", *last;
	int fd = join(running);
	unsigned told = 0;
	size_t length = 0;
	ssize_t n;

	while ((n = read(fd, text + length, sizeof(text) - 1 - length)) > 0)
		length += (size_t)n;
	close(fd);
	assert_true(length > 0);
	last = strrchr(text, '\n');
	*last = '\0';
	last = strrchr(text, '\n');
	assert_int_equal(sscanf(last ? last + 1 : text, "%u", &told), 1);
	assert_int_equal(told, id);
	if (last != NULL)
		print_error("# %s\n", text);
	assert_null(last);
}

static void a_worker_starts_clean(void **state)
{
	(void)state;
	for (unsigned spare = 0; spare <= 3; spare += 3) {
		struct running running = {
			.handler = inspect,
			.before = set_signals,
			.options.spare = spare,
		};

		start(&running);
		for (unsigned id = 1; id <= 5; id++)
			inspected(&running, id);
		stop(&running);
	}
}

/* ready_fd is closed once all is ready, and its number must not be used again. */
static void a_worker_gets_no_channel_in_place_of_a_standard_stream(void **state)
{
	struct running running = {
		.handler = inspect,
		.options.spare = 3,
		.options.ready_fd = 1,
	};

	(void)state;
	start(&running);
	for (unsigned id = 1; id <= 5; id++)
		inspected(&running, id);
	stop(&running);
}

/* 'P': send the pid; 'A': abort; 'H': hang; everything else is echoed. */
static int misbehave(struct prong_conn *conn, void *arg)
{
	char letter;

	(void)arg;
	while (prong_recv(conn, &letter, 1) == 1) {
		if (letter == 'A')
			abort();
		if (letter == 'H')
			for (;;)
				pause();
		if (letter == 'P')
			say(conn, "%d\n", getpid());
		else
			prong_send(conn, &letter, 1);
	}
	return 0;
}

static int ask(int fd, const char *letter)
{
	char line[TEXT_MAX];

	assert_int_equal(write(fd, letter, 1), 1);
	read_line(fd, line);
	return atoi(line);
}

static void a_process_serves_as_many_connections_as_reuse_says(void **state)
{
	static const struct {
		unsigned reuse;
		int changes; /* number of process changes in 6 connections */
	} rows[] = {
		{ 0, 5 }, { 1, 5 }, { 2, 2 }, { 3, 1 }, { PRONG_REUSE_ALWAYS, 0 }
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct running running = {
			.handler = misbehave,
			.options.reuse = rows[i].reuse,
			.options.max_processes = 1,
		};
		pid_t last = 0;
		int changes = -1;

		start(&running);
		for (int id = 1; id <= 6; id++) {
			int fd = join(&running);
			pid_t pid = ask(fd, "P");

			close(fd);
			changes += pid != last;
			last = pid;
		}
		assert_int_equal(changes, rows[i].changes);
		stop(&running);
	}
}

static void a_crash_is_logged_and_hurts_nobody_else(void **state)
{
	struct running running = { .handler = misbehave };
	char text[16384];
	int good, bad;

	(void)state;
	start(&running);
	good = join(&running);
	bad = join(&running);
	echoes(good);
	assert_int_equal(write(bad, "A", 1), 1);
	assert_int_equal(pair_drain(bad), 0);
	echoes(good);
	serves(&running);
	close(bad);
	close(good);
	kill(running.pid, SIGTERM);
	read_log(&running, text, sizeof(text));
	assert_non_null(strstr(text, "reason=crash-signal signal=ABRT"));
	stopped(&running);
}

static void a_handler_that_hangs_is_ended_after_the_session_timeout(void **state)
{
	struct running running = {
		.handler = misbehave,
		.options.session_timeout = 300,
		.options.log_level = PRONG_LOG_VERBOSE,
	};
	struct pollfd ended;
	char text[16384];

	(void)state;
	start(&running);
	ended = (struct pollfd){ .fd = join(&running), .events = POLLIN };
	assert_int_equal(write(ended.fd, "H", 1), 1);
	assert_int_equal(poll(&ended, 1, 10000), 1);
	assert_int_equal(pair_drain(ended.fd), 0);
	close(ended.fd);
	kill(running.pid, SIGTERM);
	read_log(&running, text, sizeof(text));
	assert_non_null(strstr(text, "reason=deadline"));
	stopped(&running);
}

static void a_worker_dies_with_its_supervisor(void **state)
{
	struct running running = { .handler = misbehave };
	pid_t worker;
	int fd;

	(void)state;
	assert_int_equal(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
	start(&running);
	fd = join(&running);
	worker = ask(fd, "P");
	kill(running.pid, SIGKILL);
	assert_int_equal(WTERMSIG(child_wait(running.pid)), SIGKILL);
	assert_int_equal(WTERMSIG(child_wait(worker)), SIGKILL);
	prctl(PR_SET_CHILD_SUBREAPER, 0);
	close(fd);
	close(running.ready[0]);
	close(running.log[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_worker_starts_clean),
		promise(a_worker_gets_no_channel_in_place_of_a_standard_stream),
		promise(a_process_serves_as_many_connections_as_reuse_says),
		promise(a_crash_is_logged_and_hurts_nobody_else),
		promise(a_handler_that_hangs_is_ended_after_the_session_timeout),
		promise(a_worker_dies_with_its_supervisor),
	};

	return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
