#include "engine/supervisor/leftover.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "fake.h"

#define MS      INT64_C(1000)
#define SECOND  (1000 * MS)
#define START   (1000 * SECOND)
#define TIMEOUT (60 * SECOND)

static struct leftovers leftovers;
static struct pair pair;
static pid_t holder; /* a process that also has the server's end; 0: none */

static int open_leftovers(void **state)
{
	int err = fake_open(state);

	pair = pair_tcp();
	holder = 0;
	leftovers_open(&leftovers, &fake.sessions, TIMEOUT);
	return err == 0 ? leftovers_start(&leftovers) : err;
}

static void end_holder(void)
{
	if (holder > 0) {
		kill(holder, SIGKILL);
		assert_int_equal(waitpid(holder, NULL, 0), holder);
	}
	holder = 0;
}

static int close_leftovers(void **state)
{
	end_holder();
	leftovers_release(&leftovers, START);
	leftovers_close(&leftovers);
	pair_close(&pair);
	linger_finish(&fake.lingering);
	return fake_close(state);
}

/* When fork(2) returns, it has copied the descriptor. */
static void start_holder(void)
{
	holder = fork();
	if (holder == 0)
		for (;;)
			pause();
}

static const siginfo_t exited = { .si_code = CLD_EXITED };

/* The connection of a program that has ended after this much output. */
static void take(uint64_t bytes_out, bool seen)
{
	struct client client = { .fd = pair.server,
				 .id = 7,
				 .accepted_at_us = START - SECOND };
	struct ending ending = { .reason = REASON_DONE,
				 .pid = 50,
				 .info = &exited,
				 .bytes_out = bytes_out,
				 .forbidden_call = -1 };

	fake.sessions.totals.accepted = 1;
	assert_true(leftovers_take(&leftovers, &client, &ending, seen, START));
	pair.server = -1;
}

/* The client has sent something that is not read. */
static void send_unread(void)
{
	struct pollfd readable = { .fd = pair.server, .events = POLLIN };

	assert_int_equal(write(pair.client, "unread", 6), 6);
	assert_int_equal(poll(&readable, 1, -1), 1);
}

static void expect_over(enum reason reason)
{
	assert_int_equal(leftovers.count, 0);
	assert_int_equal(fake.lingering.pending, 0);
	assert_int_equal(fake.sessions.totals.closed[reason], 1);
	assert_int_equal(leftovers_deadline(&leftovers), CLOCK_NEVER);
}

static void expect_kept(void)
{
	assert_int_equal(leftovers.count, 1);
	assert_int_equal(fake.lingering.pending, 1);
	assert_int_equal(totals_closed(&fake.sessions.totals), 0);
	expect_open(pair.client);
}

/* Looks whenever it is due, until end_us. Returns how often. */
static int look_until(int64_t end_us)
{
	int looks = 0;

	for (;; looks++) {
		int64_t due_us = leftovers_deadline(&leftovers);

		if (due_us > end_us)
			return looks;
		leftovers_look(&leftovers, due_us);
		assert_true(looks < 1000);
	}
}

static void one_that_no_process_holds_ends_at_the_first_look(void **state)
{
	(void)state;
	take(0, false);
	expect_kept();
	assert_true(leftovers_deadline(&leftovers) <= START);
	leftovers_look(&leftovers, START);
	expect_over(REASON_DONE);
	expect_end(pair.client);
}

static void unread_input_of_a_program_that_answered_lingers(void **state)
{
	(void)state;
	send_unread();
	take(100, false);
	leftovers_look(&leftovers, START);
	expect_over(REASON_DONE);
	assert_int_equal(pair_drain(pair.client), 0); /* an orderly end, not a reset */
}

static void unread_input_of_one_that_said_nothing_waits_for_a_second_look(void **state)
{
	(void)state;
	send_unread();
	take(0, false);
	leftovers_look(&leftovers, START);
	expect_kept();
	look_until(START + SECOND);
	expect_over(REASON_DONE);
}

static void one_that_is_held_is_kept_until_it_is_not(void **state)
{
	(void)state;
	start_holder();
	take(0, true);
	look_until(START + 10 * SECOND);
	expect_kept();
	end_holder();
	look_until(START + 20 * SECOND);
	expect_over(REASON_DONE);
	expect_end(pair.client);
}

static void a_holder_that_was_not_known_is_found(void **state)
{
	(void)state;
	start_holder();
	take(0, false);
	look_until(START + SECOND);
	expect_kept();
}

static void looks_become_seldom(void **state)
{
	(void)state;
	start_holder();
	take(0, true);
	assert_true(look_until(START + 30 * SECOND) > 10);
	assert_true(look_until(START + 58 * SECOND) < 10);
}

static void the_session_timeout_cuts_one_that_is_held(void **state)
{
	(void)state;
	start_holder();
	take(0, true);
	leftovers_look(&leftovers, START + TIMEOUT - SECOND - 1);
	expect_kept();
	leftovers_look(&leftovers, START + TIMEOUT - SECOND);
	expect_over(REASON_DEADLINE);
	expect_end(pair.client);
}

static void a_stop_leaves_to_the_holders_what_is_theirs(void **state)
{
	(void)state;
	start_holder();
	take(0, true);
	look_until(START + SECOND);
	leftovers_drain(&leftovers, START + SECOND);
	look_until(START + 2 * SECOND);
	assert_int_equal(leftovers.count, 0);
	assert_int_equal(fake.sessions.totals.closed[REASON_DONE], 1);
	expect_open(pair.client);
}

static void a_stop_at_once_waits_for_nothing(void **state)
{
	(void)state;
	start_holder();
	take(0, true);
	leftovers_release(&leftovers, START);
	expect_over(REASON_DONE);
	expect_open(pair.client);
}

static void what_comes_after_the_end_of_the_program_counts(void **state)
{
	char byte;

	(void)state;
	start_holder();
	take(0, true);
	assert_int_equal(write(leftovers.at[0].client.fd, "late", 4), 4);
	assert_int_equal(read(pair.client, &byte, 1), 1);
	end_holder();
	look_until(START + SECOND);
	expect_over(REASON_DONE);
	assert_int_equal(fake.sessions.totals.bytes_out, 4);
}

static void the_oldest_makes_room(void **state)
{
	struct client client = { .id = 7, .accepted_at_us = START };
	struct ending ending = { .reason = REASON_DONE, .info = &exited };
	int first = -1;

	(void)state;
	if (!can_open(2 * LEFTOVER_MAX))
		skip_because("too few descriptors may be opened");
	fake.report.log.most = LOG_ERROR;
	start_holder();
	for (unsigned i = 0; i <= LEFTOVER_MAX; i++) {
		client.fd = dup(pair.server);
		if (i == 0)
			first = client.fd;
		assert_true(leftovers_take(&leftovers, &client, &ending, true, START));
	}
	assert_int_equal(leftovers.count, LEFTOVER_MAX);
	assert_int_equal(fake.sessions.totals.closed[REASON_DONE], 1);
	assert_int_equal(fcntl(first, F_GETFD), -1);
	leftovers_release(&leftovers, START);
	assert_int_equal(leftovers.count, 0);
}

#define left(function) \
	cmocka_unit_test_setup_teardown(function, open_leftovers, close_leftovers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		left(one_that_no_process_holds_ends_at_the_first_look),
		left(unread_input_of_a_program_that_answered_lingers),
		left(unread_input_of_one_that_said_nothing_waits_for_a_second_look),
		left(one_that_is_held_is_kept_until_it_is_not),
		left(a_holder_that_was_not_known_is_found),
		left(looks_become_seldom),
		left(the_session_timeout_cuts_one_that_is_held),
		left(a_stop_leaves_to_the_holders_what_is_theirs),
		left(a_stop_at_once_waits_for_nothing),
		left(what_comes_after_the_end_of_the_program_counts),
		left(the_oldest_makes_room),
	};

	return cmocka_run_group_tests_name("leftover", tests, NULL, NULL);
}
