#include "engine/supervisor/deadline.h"

#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "check.h"
#include "fake.h"

#define MS        INT64_C(1000)
#define START     (1000 * 1000 * MS)
#define TIMEOUT   (300 * MS)
#define ALLOWANCE (500 * MS)
#define KILL      (500 * MS) /* after SIGTERM */
#define AGAIN     (250 * MS) /* from a SIGKILL to the next */

static struct deadlines deadlines;

static int open_deadlines(void **state)
{
	deadlines = (struct deadlines){
		.processes = &fake.processes,
		.report = &fake.report,
		.session_timeout_us = TIMEOUT,
		.allowance_us = ALLOWANCE,
	};
	return fake_open(state);
}

/* A client may wait between accept and its process. */
static struct process *serving(pid_t pid, int64_t accepted_at_us, int64_t begun_at)
{
	struct process *process = fake_process(pid, PROCESS_BUSY, begun_at);

	process->session.client.accepted_at_us = accepted_at_us;
	return process;
}

static void enforce(int64_t heard_us)
{
	deadlines_enforce(&deadlines, heard_us);
}

static void without_processes_nothing_is_due(void **state)
{
	(void)state;
	assert_int_equal(deadlines_next(&deadlines), CLOCK_NEVER);
	enforce(START);
	expect_nothing_sent();
}

/* During the allowance a worker can end its session by itself, and report why. */
static void a_session_over_its_time_and_the_allowance_is_sent_sigterm(void **state)
{
	struct process *process = serving(50, START, START);

	(void)state;
	assert_int_equal(deadlines_next(&deadlines), START + TIMEOUT + ALLOWANCE);
	enforce(START + TIMEOUT + ALLOWANCE - 1);
	expect_nothing_sent();
	enforce(START + TIMEOUT + ALLOWANCE);
	expect_sent(-50, SIGTERM);
	assert_int_equal(process->state, PROCESS_ENDING);
	assert_int_equal(process->end_cause, REASON_DEADLINE);
}

static void the_time_of_a_session_begins_with_its_accept(void **state)
{
	(void)state;
	serving(50, START, START + 200 * MS);
	assert_int_equal(deadlines_next(&deadlines), START + TIMEOUT + ALLOWANCE);
}

static void sigkill_follows_half_a_second_after_sigterm(void **state)
{
	struct process *process = serving(50, START, START);
	int64_t told_at = START + TIMEOUT + ALLOWANCE + 7 * MS;

	(void)state;
	enforce(told_at);
	expect_sent(-50, SIGTERM);
	assert_int_equal(deadlines_next(&deadlines), told_at + KILL);
	enforce(told_at + KILL - 1);
	expect_nothing_sent();
	enforce(told_at + KILL);
	expect_killed(50);
	assert_int_equal(process->state, PROCESS_KILLED);
	assert_int_equal(process->end_cause, REASON_DEADLINE);
}

static void what_sigkill_does_not_end_is_sent_it_again(void **state)
{
	struct process *process = fake_process(50, PROCESS_BUSY, START);

	(void)state;
	process_kill(&fake.processes, process, REASON_DEADLINE, START);
	expect_killed(50);
	for (int i = 1; i < 10; i++) {
		assert_int_equal(deadlines_next(&deadlines), START + i * AGAIN);
		enforce(START + i * AGAIN - 1);
		expect_nothing_sent();
		enforce(START + i * AGAIN);
		expect_killed(50);
		assert_int_equal(process->state, PROCESS_KILLED);
	}
	process_free(&fake.processes, process);
	assert_int_equal(deadlines_next(&deadlines), CLOCK_NEVER);
}

/* At once if kill(2) gives the reason, otherwise after a second; once per process. */
static void the_log_tells_what_sigkill_does_not_end(void **state)
{
	struct process *process = fake_process(50, PROCESS_BUSY, START);

	(void)state;
	fake.refusal = -EPERM;
	process_kill(&fake.processes, process, REASON_DEADLINE, START);
	enforce(START + AGAIN);
	assert_int_equal(kept_count(&fake.log, "event=unkillable pid=50 error=EPERM"),
			 1);
	process_free(&fake.processes, process);
	fake.refusal = 0;
	fake.sent_count = 0;
	process = fake_process(51, PROCESS_BUSY, START);
	process_kill(&fake.processes, process, REASON_DEADLINE, START);
	enforce(START + 999 * MS);
	assert_int_equal(kept_count(&fake.log, "pid=51"), 0);
	for (int i = 1; i < 10; i++)
		enforce(START + 1000 * MS + i * AGAIN);
	assert_int_equal(kept_count(&fake.log, "event=unkillable pid=51 why="), 1);
	fake.sent_count = 0;
}

/* An idle worker that leaves by itself may hang; no session ends with it. */
static void one_that_is_leaving_is_killed_without_a_cause_after_half_a_second(
	void **state)
{
	struct process *process = fake_process(50, PROCESS_IDLE, START);

	(void)state;
	process_lost(&fake.processes, process, START);
	enforce(START + KILL);
	expect_killed(50);
	assert_int_equal(process->end_cause, REASON_NONE);
}

static void each_is_ended_when_its_own_time_is_over(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		serving(50 + i, START + i * MS, START + i * MS);
	for (int i = 0; i < 3; i++) {
		int64_t due = START + TIMEOUT + ALLOWANCE + i * MS;

		assert_int_equal(deadlines_next(&deadlines), due);
		enforce(due);
		expect_sent(-50 - i, SIGTERM);
	}
}

static void all_that_are_over_their_time_are_ended_at_once(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		serving(50 + i, START + i * MS, START + i * MS);
	enforce(START + TIMEOUT + ALLOWANCE + 2 * MS);
	assert_int_equal(fake.sent_count, 3);
	assert_int_equal(fake.processes.in[PROCESS_ENDING].count, 3);
	assert_int_equal(deadlines_next(&deadlines),
			 START + TIMEOUT + ALLOWANCE + 2 * MS + KILL);
}

/*
 * A supervisor that was stopped for a minute first learns what happened meanwhile, and
 * still leaves half a second after SIGTERM.
 */
static void they_are_judged_as_of_what_has_been_heard(void **state)
{
	int64_t heard_us = START + TIMEOUT + ALLOWANCE - 1;

	(void)state;
	serving(50, START, START);
	for (int i = 0; i < 10; i++)
		enforce(heard_us);
	expect_nothing_sent();
	enforce(heard_us + 60 * 1000 * MS);
	expect_sent(-50, SIGTERM);
	enforce(heard_us + 60 * 1000 * MS + KILL - 1);
	expect_nothing_sent();
}

static void without_a_timeout_sessions_have_all_the_time_there_is(void **state)
{
	struct process *process = serving(50, START, START);

	(void)state;
	deadlines.session_timeout_us = 0;
	assert_int_equal(deadlines_next(&deadlines), CLOCK_NEVER);
	enforce(START + 3600 * 1000 * MS);
	expect_nothing_sent();
	/* A process that was told to end keeps its deadline. */
	process_terminate(&fake.processes, process, REASON_IDLE, START);
	expect_sent(-50, SIGTERM);
	assert_int_equal(deadlines_next(&deadlines), START + KILL);
}

static void idle_and_accepting_processes_have_no_deadline(void **state)
{
	(void)state;
	fake_process(50, PROCESS_IDLE, START);
	fake_process(51, PROCESS_ACCEPTING, START);
	assert_int_equal(deadlines_next(&deadlines), CLOCK_NEVER);
	enforce(START + 3600 * 1000 * MS);
	expect_nothing_sent();
}

static void what_is_due_first_is_the_next_deadline(void **state)
{
	struct process *process = serving(50, START, START);

	(void)state;
	serving(51, START, START);
	process_terminate(&fake.processes, process, REASON_IDLE, START + MS);
	assert_int_equal(deadlines_next(&deadlines), START + MS + KILL);
	process_free(&fake.processes, process);
	assert_int_equal(deadlines_next(&deadlines), START + TIMEOUT + ALLOWANCE);
}

#define with_deadlines(function) \
	cmocka_unit_test_setup_teardown(function, open_deadlines, fake_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_deadlines(without_processes_nothing_is_due),
		with_deadlines(
			a_session_over_its_time_and_the_allowance_is_sent_sigterm),
		with_deadlines(the_time_of_a_session_begins_with_its_accept),
		with_deadlines(sigkill_follows_half_a_second_after_sigterm),
		with_deadlines(what_sigkill_does_not_end_is_sent_it_again),
		with_deadlines(the_log_tells_what_sigkill_does_not_end),
		with_deadlines(
			one_that_is_leaving_is_killed_without_a_cause_after_half_a_second),
		with_deadlines(each_is_ended_when_its_own_time_is_over),
		with_deadlines(all_that_are_over_their_time_are_ended_at_once),
		with_deadlines(they_are_judged_as_of_what_has_been_heard),
		with_deadlines(without_a_timeout_sessions_have_all_the_time_there_is),
		with_deadlines(idle_and_accepting_processes_have_no_deadline),
		with_deadlines(what_is_due_first_is_the_next_deadline),
	};

	return cmocka_run_group_tests_name("deadline", tests, NULL, NULL);
}
