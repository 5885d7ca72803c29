#include "engine/supervisor/dispatch.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "serving.h"

#define MS      INT64_C(1000)
#define START   (1000 * 1000 * MS)
#define REFILL  (MS + MS / 2)
#define SURPLUS (10 * 1000 * MS)
#define DEFER   32 /* rounds of the loop */

static struct dispatch *const dispatch = &serving.dispatch;

/* Sets how many spares the model wants and dispatch keeps. */
static void keep_spares(unsigned spare)
{
	dispatch->spare = serving.wanted = spare;
}

/* A round of the loop without a client. Returns how many spares it makes. */
static unsigned start_spares(int64_t now)
{
	unsigned before = serving.spares;

	dispatch_start_spares(dispatch, true, now);
	return serving.spares - before;
}

/* A round of the loop with a client. Returns how many spares it makes. */
static unsigned start_spares_in_a_stream(int64_t now)
{
	unsigned before = serving.spares;

	dispatch_start_spares(dispatch, false, now);
	return serving.spares - before;
}

static void come(int64_t now)
{
	struct client client = serving_client(7, 123456, now);

	assert_int_equal(dispatch_client(dispatch, &client, now), 0);
}

static unsigned idle(void)
{
	return fake.processes.in[PROCESS_IDLE].count;
}

static void make_idle(unsigned count, int64_t now)
{
	for (unsigned i = 0; i < count; i++)
		fake_process((pid_t)(50 + fake.processes.used), PROCESS_IDLE, now + i);
}

static unsigned said(const char *part)
{
	return kept_count(&fake.log, part);
}

static void spares_are_made_two_at_once_until_there_are_enough(void **state)
{
	(void)state;
	keep_spares(5);
	assert_true(dispatch_deadline(dispatch) <= START);
	assert_int_equal(start_spares(START), 2);
	assert_int_equal(start_spares(START), 2);
	assert_int_equal(start_spares(START), 1);
	assert_int_equal(idle(), 5);
	assert_int_equal(start_spares(START), 0);
	assert_int_equal(dispatch_deadline(dispatch), CLOCK_NEVER);
}

static void a_spare_that_accepts_for_itself_counts_as_one(void **state)
{
	(void)state;
	keep_spares(2);
	serving.model.spare_state = PROCESS_ACCEPTING;
	assert_int_equal(start_spares(START), 2);
	assert_int_equal(fake.processes.in[PROCESS_ACCEPTING].count, 2);
	assert_int_equal(start_spares(START), 0);
}

static void where_no_slot_is_free_none_is_made_and_nothing_is_due(void **state)
{
	(void)state;
	keep_spares(5);
	fake.processes.max = 3;
	fake_process(50, PROCESS_BUSY, START);
	assert_int_equal(start_spares(START), 2);
	assert_int_equal(start_spares(START), 0);
	assert_int_equal(dispatch_deadline(dispatch), CLOCK_NEVER);
}

static void after_a_client_none_is_made_for_a_moment(void **state)
{
	(void)state;
	keep_spares(2);
	make_idle(2, START);
	come(START);
	assert_int_equal(dispatch_deadline(dispatch), START + REFILL);
	assert_int_equal(start_spares(START + REFILL - 1), 0);
	assert_int_equal(start_spares(START + REFILL), 1);
}

static void after_a_fork_for_a_client_none_is_made_for_a_moment_either(void **state)
{
	(void)state;
	keep_spares(2);
	come(START);
	assert_int_equal(dispatch_deadline(dispatch), START + REFILL);
	assert_int_equal(start_spares(START + REFILL - 1), 0);
}

static void where_spares_are_dear_they_are_made_at_once_when_less_than_half_are_left(
	void **state)
{
	(void)state;
	keep_spares(4);
	make_idle(3, START);
	serving.model.spares_are_dear = true;
	come(START); /* two are left */
	assert_int_equal(dispatch_deadline(dispatch), START + REFILL);
	assert_int_equal(start_spares(START), 0);
	come(START);
	assert_true(dispatch_deadline(dispatch) <= START);
	assert_int_equal(start_spares(START), 2);
}

static void in_a_stream_clients_go_first_for_32_rounds(void **state)
{
	(void)state;
	keep_spares(10);
	for (int times = 0; times < 2; times++) {
		for (int i = 1; i < DEFER; i++)
			assert_int_equal(start_spares_in_a_stream(START), 0);
		assert_int_equal(start_spares_in_a_stream(START), 2);
	}
	/* A round without a client starts the count again. */
	start_spares_in_a_stream(START);
	assert_int_equal(start_spares(START), 2);
	for (int i = 1; i < DEFER; i++)
		assert_int_equal(start_spares_in_a_stream(START), 0);
	assert_int_equal(start_spares_in_a_stream(START), 2);
}

static void a_spare_that_cannot_be_forked_is_tried_again_after_a_pause(void **state)
{
	(void)state;
	keep_spares(2);
	serving.start_result = -EAGAIN;
	assert_int_equal(start_spares(START), 1);
	assert_int_equal(fake.processes.used, 0);
	assert_int_equal(said("event=fork-failed error=EAGAIN"), 1);
	assert_int_equal(dispatch_deadline(dispatch), START + 5 * MS);
	assert_int_equal(start_spares(START + 5 * MS - 1), 0);
	assert_int_equal(start_spares(START + 5 * MS), 1);
	assert_int_equal(dispatch_deadline(dispatch), START + (5 + 10) * MS);
	serving.start_result = 1;
	assert_int_equal(start_spares(START + (5 + 10) * MS), 2);
}

/* SIGSEGV has ended the spare. */
static void die(const struct process *process, int64_t now)
{
	siginfo_t info = { .si_code = CLD_KILLED, .si_status = SIGSEGV };

	info.si_pid = process->pid;
	dispatch_spare_died(dispatch, process, &info, now);
}

/* For example, the program does not exist. No client is affected. */
static void a_spare_that_cannot_begin_is_tried_again_after_a_pause(void **state)
{
	siginfo_t info = { .si_code = CLD_EXITED, .si_status = 127 };
	struct process *process;

	(void)state;
	keep_spares(1);
	serving.error = ENOENT;
	assert_int_equal(start_spares(START), 1);
	process = fake.processes.in[PROCESS_IDLE].first;
	info.si_pid = process->pid;
	dispatch_spare_died(dispatch, process, &info, START);
	process_free(&fake.processes, process);
	assert_int_equal(said("event=exec-failed program=/no/such error=ENOENT"), 1);
	assert_int_equal(said("event=spare-died"), 0);
	assert_int_equal(totals_closed(&fake.sessions.totals), 0);
	assert_int_equal(dispatch_deadline(dispatch), START + 5 * MS);
	assert_int_equal(start_spares(START + 5 * MS - 1), 0);
	/* A client does not have to wait for that. */
	come(START + 1);
}

static void spares_that_die_are_replaced_after_pauses_that_double(void **state)
{
	struct process *process = fake_process(50, PROCESS_IDLE, START);

	(void)state;
	die(process, START);
	process_free(&fake.processes, process);
	keep_spares(1);
	assert_int_equal(said("event=spare-died pid=50 signal=SEGV"), 1);
	assert_int_equal(dispatch_deadline(dispatch), START + 5 * MS);
	assert_int_equal(start_spares(START + 5 * MS - 1), 0);
	assert_int_equal(start_spares(START + 5 * MS), 1);
	process = fake.processes.in[PROCESS_IDLE].first;
	die(process, START + 6 * MS);
	process_free(&fake.processes, process);
	assert_int_equal(dispatch_deadline(dispatch), START + (6 + 10) * MS);
	/* The line is written at most once a second. */
	assert_int_equal(said("event=spare-died"), 1);
}

static void a_spare_that_served_ends_the_pause(void **state)
{
	struct process *process = fake_process(50, PROCESS_IDLE, START);

	(void)state;
	keep_spares(3);
	die(process, START);
	assert_int_equal(start_spares(START), 0);
	dispatch_spare_served(dispatch);
	assert_int_equal(start_spares(START), 2);
	die(process, START);
	come(START); /* dispatch hands it to a spare */
	assert_int_equal(dispatch->spares.until_us, 0);
}

static void why_a_spare_could_not_begin_is_said_instead_of_how_it_died(void **state)
{
	struct process *process = fake_process(50, PROCESS_IDLE, START);

	(void)state;
	process_row(&fake.processes, process)->error = EACCES;
	die(process, START);
	assert_int_equal(said("event=exec-failed program=/no/such error=EACCES"), 1);
	assert_int_equal(said("event=spare-died"), 0);
}

static void expect_ending(pid_t pid, bool ending)
{
	const struct process *process = process_find(&fake.processes, pid);

	assert_int_equal(process->state == PROCESS_ENDING, ending);
}

static void too_many_are_ended_after_ten_seconds_the_oldest_first(void **state)
{
	struct pair pair;

	(void)state;
	keep_spares(2);
	make_idle(4, START); /* 50 to 53, one microsecond apart */
	pair = fake_channel(process_find(&fake.processes, 50));
	assert_int_equal(dispatch_deadline(dispatch), START + SURPLUS);
	dispatch_stop_spares(dispatch, START + SURPLUS - 1);
	assert_int_equal(idle(), 4);
	dispatch_stop_spares(dispatch, START + SURPLUS);
	expect_ending(50, true);
	expect_ending(51, false);
	/* An idle process ends when its channel does. */
	expect_end(pair.client);
	expect_nothing_sent();
	assert_int_equal(dispatch_deadline(dispatch), START + 1 + SURPLUS);
	dispatch_stop_spares(dispatch, START + 10 * SURPLUS);
	expect_ending(51, true);
	assert_int_equal(idle(), 2);
	assert_int_equal(dispatch_deadline(dispatch), CLOCK_NEVER);
	close(pair.client);
}

static void while_there_is_work_for_them_they_are_not_too_many(void **state)
{
	(void)state;
	keep_spares(1);
	make_idle(2, START);
	for (int i = 0; i < 10; i++) {
		struct process *oldest = fake.processes.in[PROCESS_IDLE].first;
		int64_t now = START + (i + 1) * (SURPLUS / 2);

		process_set_state(&fake.processes, oldest, PROCESS_BUSY, now);
		process_set_state(&fake.processes, oldest, PROCESS_IDLE, now);
		dispatch_stop_spares(dispatch, now);
		assert_int_equal(idle(), 2);
	}
}

static void when_no_client_is_to_come_all_idle_processes_end(void **state)
{
	(void)state;
	keep_spares(2);
	make_idle(2, START);
	fake_process(60, PROCESS_BUSY, START);
	dispatch_drain(dispatch, START);
	dispatch_finish(dispatch);
	assert_true(dispatch_deadline(dispatch) <= START);
	dispatch_stop_spares(dispatch, START);
	assert_int_equal(idle(), 0);
	expect_ending(60, false);
	assert_int_equal(dispatch_deadline(dispatch), CLOCK_NEVER);
}

static void note_drain(void *self, int64_t now_us)
{
	(void)now_us;
	assert_ptr_equal(self, &serving);
	serving.drains++;
}

static void while_the_server_stops_no_spare_is_made(void **state)
{
	(void)state;
	keep_spares(5);
	make_idle(1, START);
	serving.model.drain = note_drain;
	dispatch_drain(dispatch, START);
	assert_int_equal(serving.drains, 1);
	assert_int_equal(start_spares(START), 0);
	assert_int_equal(dispatch_deadline(dispatch), CLOCK_NEVER);
	/* Clients that are left in the queue are still served. */
	come(START);
	come(START);
	assert_int_equal(serving.hand_overs, 1);
	assert_int_equal(serving.starts, 1);
}

static void the_latest_of_the_pauses_is_the_deadline_of_missing_spares(void **state)
{
	struct process *process = fake_process(50, PROCESS_IDLE, START);

	(void)state;
	keep_spares(3);
	come(START);
	die(process, START - 4 * MS);
	assert_int_equal(dispatch_deadline(dispatch), START + REFILL);
	die(process, START);
	assert_int_equal(dispatch_deadline(dispatch), START + 10 * MS);
	serving.start_result = -EAGAIN;
	start_spares(START + 10 * MS);
	assert_int_equal(dispatch_deadline(dispatch), START + (10 + 5) * MS);
}

static void a_surplus_that_is_due_before_is_the_deadline(void **state)
{
	(void)state;
	keep_spares(2);
	make_idle(3, START - SURPLUS);
	serving.wanted = 10; /* more are missing, but they are delayed */
	come(START);
	make_idle(1, START);
	assert_int_equal(dispatch_deadline(dispatch), START);
	dispatch_stop_spares(dispatch, START);
	assert_int_equal(dispatch_deadline(dispatch), START + REFILL);
}

static void where_old_spares_are_bad_they_are_replaced(void **state)
{
	(void)state;
	keep_spares(2);
	make_idle(2, START); /* one microsecond apart */
	serving.model.spare_age_us = 100 * MS;
	assert_int_equal(dispatch_deadline(dispatch), START + 100 * MS);
	dispatch_stop_spares(dispatch, START + 100 * MS - 1);
	assert_int_equal(idle(), 2);
	dispatch_stop_spares(dispatch, START + 100 * MS);
	expect_ending(50, true);
	expect_ending(51, false);
	assert_int_equal(start_spares(START + 100 * MS), 1);
}

static void a_spare_that_is_being_started_counts_as_one(void **state)
{
	(void)state;
	keep_spares(2);
	serving.model.spare_state = PROCESS_STARTING;
	assert_int_equal(start_spares(START), 2);
	assert_int_equal(start_spares(START + MS), 0);
	assert_int_equal(idle(), 0);
}

static void a_spare_that_does_not_come_to_wait_in_ten_seconds_is_killed(void **state)
{
	(void)state;
	keep_spares(2);
	fake_process(50, PROCESS_STARTING, START);
	fake_process(51, PROCESS_STARTING, START + 1);
	assert_int_equal(dispatch_deadline(dispatch), START + SURPLUS);
	dispatch_stop_spares(dispatch, START + SURPLUS - 1);
	expect_nothing_sent();
	dispatch_stop_spares(dispatch, START + SURPLUS);
	expect_killed(50);
	assert_int_equal(said("event=spare-stuck pid=50"), 1);
	assert_int_equal(fake.processes.in[PROCESS_STARTING].count, 1);
	/* The next one comes after a pause. */
	assert_int_equal(start_spares(START + SURPLUS), 0);
	assert_int_equal(start_spares(START + SURPLUS + 5 * MS), 1);
}

static void at_the_end_those_that_are_being_started_end_too(void **state)
{
	(void)state;
	keep_spares(1);
	fake_process(50, PROCESS_STARTING, START);
	dispatch_drain(dispatch, START);
	dispatch_finish(dispatch);
	dispatch_stop_spares(dispatch, START);
	expect_ending(50, true);
	assert_int_equal(said("event=spare-stuck"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		served(spares_are_made_two_at_once_until_there_are_enough),
		served(a_spare_that_accepts_for_itself_counts_as_one),
		served(where_no_slot_is_free_none_is_made_and_nothing_is_due),
		served(after_a_client_none_is_made_for_a_moment),
		served(after_a_fork_for_a_client_none_is_made_for_a_moment_either),
		served(where_spares_are_dear_they_are_made_at_once_when_less_than_half_are_left),
		served(in_a_stream_clients_go_first_for_32_rounds),
		served(a_spare_that_cannot_be_forked_is_tried_again_after_a_pause),
		served(a_spare_that_cannot_begin_is_tried_again_after_a_pause),
		served(spares_that_die_are_replaced_after_pauses_that_double),
		served(a_spare_that_served_ends_the_pause),
		served(why_a_spare_could_not_begin_is_said_instead_of_how_it_died),
		served(too_many_are_ended_after_ten_seconds_the_oldest_first),
		served(while_there_is_work_for_them_they_are_not_too_many),
		served(when_no_client_is_to_come_all_idle_processes_end),
		served(while_the_server_stops_no_spare_is_made),
		served(the_latest_of_the_pauses_is_the_deadline_of_missing_spares),
		served(a_surplus_that_is_due_before_is_the_deadline),
		served(where_old_spares_are_bad_they_are_replaced),
		served(a_spare_that_is_being_started_counts_as_one),
		served(a_spare_that_does_not_come_to_wait_in_ten_seconds_is_killed),
		served(at_the_end_those_that_are_being_started_end_too),
	};

	return cmocka_run_group_tests_name("spares", tests, NULL, NULL);
}
