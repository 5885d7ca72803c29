#include "engine/supervisor/dispatch.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "engine/confine/privileges.h"
#include "serving.h"

#define MS    INT64_C(1000)
#define START (1000 * 1000 * MS)

static struct dispatch *const dispatch = &serving.dispatch;

static struct client client, before; /* compared with padding included */

/* Connection 7 needs a process. Its descriptor is a number that is not open. */
static int come(int64_t now)
{
	client = serving_client(7, 123456, START);
	memcpy(&before, &client, sizeof(client));
	return dispatch_client(dispatch, &client, now);
}

/* After a failure the caller can try the same client again. */
static void expect_untouched(void)
{
	assert_memory_equal(&client, &before, sizeof(client));
}

static void expect_served_by(const struct process *process)
{
	assert_int_equal(process->state, PROCESS_BUSY);
	assert_int_equal(process->session.client.id, 7);
	assert_int_equal(process->session.client.fd, 123456);
	assert_ptr_equal(serving.begun, process);
}

static unsigned said(const char *part)
{
	return kept_count(&fake.log, part);
}

static void a_client_is_handed_to_the_newest_idle_process(void **state)
{
	struct process *newest;

	(void)state;
	fake_process(50, PROCESS_IDLE, START);
	newest = fake_process(51, PROCESS_IDLE, START + 1);
	process_set_state(&fake.processes, fake_process(52, PROCESS_IDLE, START + 2),
			  PROCESS_BUSY, START + 3);
	assert_int_equal(come(START + 4), 0);
	assert_int_equal(serving.hand_overs, 1);
	assert_ptr_equal(serving.handed_to[0], newest);
	assert_int_equal(serving.starts, 0);
	assert_int_equal(newest->since_us, START + 4);
	expect_served_by(newest);
	assert_int_equal(said("event=serve conn=7 pid=51"), 1);
}

/* A worker of a pool serves many connections; a row counts the bytes of one. */
static void a_row_counts_from_zero_for_the_next_client(void **state)
{
	struct process *process = fake_process(50, PROCESS_IDLE, START);
	struct score_row *row = process_row(&fake.processes, process);

	(void)state;
	row->bytes_in = row->bytes_out = 9;
	assert_int_equal(come(START), 0);
	assert_int_equal(row->bytes_in, 0);
	assert_int_equal(row->bytes_out, 0);
}

static void an_idle_process_that_is_dying_is_lost_and_the_next_is_tried(void **state)
{
	struct process *living = fake_process(50, PROCESS_IDLE, START);
	struct process *reset = fake_process(51, PROCESS_IDLE, START);
	struct process *gone = fake_process(52, PROCESS_IDLE, START);

	(void)state;
	serving.hand_over_results[0] = -EPIPE;
	serving.hand_over_results[1] = -ECONNRESET;
	assert_int_equal(come(START), 0);
	assert_int_equal(serving.hand_overs, 3);
	expect_served_by(living);
	assert_int_equal(gone->state, PROCESS_ENDING);
	assert_int_equal(reset->state, PROCESS_ENDING);
	assert_true(gone->left_idle && reset->left_idle);
	assert_int_equal(gone->session.client.id, 0);
	expect_nothing_sent();
	assert_int_equal(dispatch->fork.until_us, 0);
}

static void when_all_idle_processes_are_dying_one_is_started(void **state)
{
	(void)state;
	fake_process(50, PROCESS_IDLE, START);
	serving.hand_over_results[0] = -EPIPE;
	assert_int_equal(come(START), 0);
	assert_int_equal(serving.starts, 1);
	expect_served_by(process_find(&fake.processes, SERVING_FIRST_PID));
}

/* It has reported that it is free, but does not take what it was given. */
static void an_idle_process_that_takes_nothing_is_killed(void **state)
{
	struct process *living = fake_process(50, PROCESS_IDLE, START);
	struct process *stuck = fake_process(51, PROCESS_IDLE, START);

	(void)state;
	serving.hand_over_results[0] = -EAGAIN;
	assert_int_equal(come(START), 0);
	expect_killed(51);
	assert_int_equal(stuck->state, PROCESS_KILLED);
	assert_int_equal(stuck->end_cause, REASON_CRASH_SIGNAL);
	assert_int_equal(stuck->session.client.id, 0);
	expect_served_by(living);
}

/* For example too many descriptors in transit: unix(7). */
static void a_failure_of_the_kernel_leaves_client_and_process_as_they_were(void **state)
{
	struct process *process = fake_process(50, PROCESS_IDLE, START);

	(void)state;
	serving.hand_over_results[0] = -ETOOMANYREFS;
	assert_int_equal(come(START), -ETOOMANYREFS);
	expect_untouched();
	assert_int_equal(process->state, PROCESS_IDLE);
	assert_int_equal(process->session.client.id, 0);
	assert_null(serving.begun);
	assert_int_equal(serving.starts, 0);
	expect_nothing_sent();
	assert_int_equal(dispatch->fork.until_us, START + BACKOFF_FIRST_US);
	assert_int_equal(said("event=fork-failed error=ETOOMANYREFS"), 1);
}

static void a_failure_is_reported_once_a_second(void **state)
{
	(void)state;
	serving.start_result = -ENOMEM;
	for (int i = 0; i < 10; i++)
		come(START + i * 99 * MS);
	assert_true(serving.starts > 3);
	assert_int_equal(said("event=fork-failed error=ENOMEM"), 1);
	come(START + 1000 * MS);
	assert_int_equal(said("event=fork-failed"), 2);
}

static void without_an_idle_process_one_is_started_for_the_client(void **state)
{
	struct process *process;

	(void)state;
	fake_process(50, PROCESS_BUSY, START);
	fake_process(51, PROCESS_ACCEPTING, START);
	assert_int_equal(come(START + 1), 0);
	assert_int_equal(serving.hand_overs, 0);
	assert_int_equal(serving.starts, 1);
	assert_int_equal(serving.spares, 0);
	process = process_find(&fake.processes, SERVING_FIRST_PID);
	assert_non_null(process);
	assert_int_equal(process->since_us, START + 1);
	expect_served_by(process);
	assert_int_equal(fake.processes.started, 3);
}

static void when_every_slot_is_taken_none_is_started(void **state)
{
	(void)state;
	fake.processes.max = 2;
	fake_process(50, PROCESS_BUSY, START);
	assert_true(dispatch_has_room(dispatch));
	assert_false(dispatch_is_full(dispatch));
	fake_process(51, PROCESS_ENDING, START);
	assert_false(dispatch_has_room(dispatch));
	assert_true(dispatch_is_full(dispatch));
	assert_int_equal(come(START), -EAGAIN);
	expect_untouched();
	assert_int_equal(serving.starts, 0);
	/* That is not a failure, so forking does not pause. */
	assert_int_equal(dispatch->fork.until_us, 0);
	assert_int_equal(said("event="), 0);
}

static void an_idle_process_is_room_even_when_every_slot_is_taken(void **state)
{
	(void)state;
	fake.processes.max = 1;
	fake_process(50, PROCESS_IDLE, START);
	assert_true(dispatch_has_room(dispatch));
	assert_int_equal(come(START), 0);
	assert_false(dispatch_has_room(dispatch));
}

/* Clients stay in the queue that long, and are not refused. */
static void a_spare_that_is_being_started_is_given_nothing_but_room_is_expected(
	void **state)
{
	(void)state;
	fake.processes.max = 1;
	fake_process(50, PROCESS_STARTING, START);
	assert_false(dispatch_has_room(dispatch));
	assert_true(dispatch_expects_room(dispatch));
	assert_false(dispatch_is_full(dispatch));
	assert_int_equal(come(START), -EAGAIN);
	assert_int_equal(serving.hand_overs, 0);
}

static void an_idle_process_that_should_be_replaced_ends_and_the_next_is_tried(
	void **state)
{
	struct process *good = fake_process(50, PROCESS_IDLE, START);
	struct process *stale = fake_process(51, PROCESS_IDLE, START);

	(void)state;
	serving.hand_over_results[0] = -ESTALE;
	assert_int_equal(come(START + 1), 0);
	assert_int_equal(stale->state, PROCESS_ENDING);
	assert_false(stale->left_idle);
	assert_ptr_equal(serving.begun, good);
	assert_int_equal(dispatch->spares.until_us, 0);
}

static bool is_full(const void *self)
{
	assert_ptr_equal(self, &serving);
	return serving.full;
}

static void a_model_may_know_better_whether_clients_wait(void **state)
{
	(void)state;
	serving.model.is_full = is_full;
	assert_false(dispatch_is_full(dispatch));
	serving.full = true;
	assert_true(dispatch_is_full(dispatch));
	assert_true(dispatch_has_room(dispatch));
}

static void after_a_fork_failed_the_next_waits_for_a_pause_that_doubles(void **state)
{
	static const int64_t pauses[] = { 5 * MS, 10 * MS, 20 * MS, 40 * MS };
	static const int errors[] = { -EAGAIN, -ENOMEM, -EAGAIN, -EMFILE };
	int64_t now = START;

	(void)state;
	for (unsigned i = 0; i < COUNT(pauses); i++) {
		serving.start_result = errors[i];
		assert_int_equal(come(now), errors[i]);
		expect_untouched();
		assert_int_equal(serving.starts, i + 1);
		assert_int_equal(fake.processes.used, 0);
		assert_int_equal(come(now + pauses[i] - 1), -EAGAIN);
		expect_untouched();
		assert_int_equal(serving.starts, i + 1);
		now += pauses[i];
	}
	serving.start_result = 1;
	assert_int_equal(come(now), 0);
	serving.start_result = -EAGAIN;
	come(now);
	assert_int_equal(dispatch->fork.until_us, now + pauses[0]);
}

static void an_idle_process_serves_while_forking_waits(void **state)
{
	(void)state;
	serving.start_result = -EAGAIN;
	come(START);
	fake_process(50, PROCESS_IDLE, START);
	assert_int_equal(come(START + 1), 0);
	assert_int_equal(serving.hand_overs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		served(a_client_is_handed_to_the_newest_idle_process),
		served(a_row_counts_from_zero_for_the_next_client),
		served(an_idle_process_that_is_dying_is_lost_and_the_next_is_tried),
		served(when_all_idle_processes_are_dying_one_is_started),
		served(an_idle_process_that_takes_nothing_is_killed),
		served(a_failure_of_the_kernel_leaves_client_and_process_as_they_were),
		served(a_failure_is_reported_once_a_second),
		served(without_an_idle_process_one_is_started_for_the_client),
		served(when_every_slot_is_taken_none_is_started),
		served(an_idle_process_is_room_even_when_every_slot_is_taken),
		served(a_spare_that_is_being_started_is_given_nothing_but_room_is_expected),
		served(an_idle_process_that_should_be_replaced_ends_and_the_next_is_tried),
		served(a_model_may_know_better_whether_clients_wait),
		served(after_a_fork_failed_the_next_waits_for_a_pause_that_doubles),
		served(an_idle_process_serves_while_forking_waits),
	};

	return cmocka_run_group_tests_name("dispatch", tests, NULL, NULL);
}
