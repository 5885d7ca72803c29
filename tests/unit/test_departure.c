#include "engine/supervisor/departure.h"

#include <errno.h>

#include "base/clock.h"
#include "check.h"
#include "engine/confine/privileges.h"
#include "parts.h"

#define NOW START_US

/* A process that serves the next session. */
static struct process *serving(void)
{
	struct process *process = parts_process(PROCESS_BUSY, NOW);
	struct client client = { .fd = -1, .accepted_at_us = NOW };

	sessions_accepted(&parts.sessions, &client);
	process->session.client = client;
	return process;
}

static int open_parts(void **state)
{
	parts_open(state);
	parts.report.log.most = LOG_DEBUG;
	return 0;
}

/* Each outcome has one consequence; after all of them the slot is free. */
static void each_outcome_is_counted_and_said_by_itself(void **state)
{
	static const struct {
		unsigned outcome;
		int closed, died;
		bool pauses; /* before the next spare is made, after two had died */
	} rows[] = {
		{ OUTCOME_SESSION, 1, 0, true },
		{ OUTCOME_SPARE_DIED, 0, 1, true },
		{ OUTCOME_SPARE_SERVED, 0, 0, false },
		{ OUTCOME_SESSION | OUTCOME_SPARE_SERVED, 1, 0, false },
		{ OUTCOME_SESSION | OUTCOME_SPARE_DIED, 1, 1, true },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct process *process = serving();
		int64_t now_us = NOW + (int64_t)i * SECOND_US;

		print_message("# row %zu\n", i);
		parts.line_count = 0;
		parts.sessions.totals.closed[REASON_EOF] = 0;
		parts.dispatch.spares = (struct backoff){ 0 };
		backoff_failed(&parts.dispatch.spares, now_us);
		parts.model.outcome = rows[i].outcome;
		parts.model.reason = REASON_EOF;
		parts_end(process, now_us);
		assert_int_equal(parts.sessions.totals.closed[REASON_EOF],
				 rows[i].closed);
		assert_int_equal(lines_with("event=close"), rows[i].closed);
		assert_int_equal(lines_with("event=spare-died"), rows[i].died);
		assert_int_equal(lines_with("event=reap"), 1);
		assert_int_equal(backoff_waits(&parts.dispatch.spares, now_us),
				 rows[i].pauses);
		assert_int_equal(process->state, PROCESS_FREE);
		assert_int_equal(parts.processes.used, 0);
	}
}

static void a_session_that_ends_with_its_process_is_said_whole(void **state)
{
	struct process *process = serving();
	struct score_row *row = process_row(&parts.processes, process);

	(void)state;
	row->bytes_in = 5;
	row->bytes_out = 7;
	parts.model.reason = REASON_IDLE;
	parts_end(process, NOW + 1234000);
	assert_int_equal(lines_with("event=close conn=1 peer="), 1);
	assert_int_equal(lines_with("reason=idle"), 1);
	assert_int_equal(lines_with("bytes_in=5 bytes_out=7 duration_ms=1234"), 1);
	assert_int_equal(parts.sessions.totals.bytes_in, 5);
	assert_int_equal(parts.sessions.totals.bytes_out, 7);
	assert_int_equal(totals_active(&parts.sessions.totals), 0);
}

/* It was told to end, for example: it had no session, and did nothing wrong. */
static void a_process_that_leaves_for_nothing_only_frees_its_slot(void **state)
{
	struct process *process = parts_process(PROCESS_ENDING, NOW);

	(void)state;
	parts_end(process, NOW);
	assert_int_equal(parts.processes.used, 0);
	assert_int_equal(parts.line_count, 1);
	last_line_has("event=reap", "status=0", NULL);
	assert_int_equal(totals_closed(&parts.sessions.totals), 0);
	assert_false(backoff_waits(&parts.dispatch.spares, NOW));
}

static void spares_that_die_are_replaced_after_ever_longer_pauses(void **state)
{
	int64_t pause_us = BACKOFF_FIRST_US;

	(void)state;
	parts.model.outcome = OUTCOME_SPARE_DIED;
	for (int i = 0; i < 3; i++) {
		parts_end(parts_process(PROCESS_IDLE, NOW), NOW);
		assert_int_equal(parts.dispatch.spares.until_us, NOW + pause_us);
		pause_us *= 2;
	}
	assert_int_equal(lines_with("event=spare-died"), 1);
}

/* Its row says why, so its death is not reported again. */
static void a_spare_that_could_not_begin_is_said_to_have_failed(void **state)
{
	struct process *process = parts_process(PROCESS_IDLE, NOW);
	struct score_row *row = process_row(&parts.processes, process);

	(void)state;
	row->failed_step = PRIVILEGES_CHROOT;
	row->error = EPERM;
	parts.model.outcome = OUTCOME_SPARE_DIED;
	parts_end(process, NOW);
	assert_int_equal(lines_with("event=privileges-failed call=chroot error=EPERM"),
			 1);
	assert_int_equal(lines_with("spare-died"), 0);
}

static void the_end_of_a_stranger_is_told_to_the_model_alone(void **state)
{
	struct process stranger = { .pid = FIRST_PID + 1000 };

	(void)state;
	parts_process(PROCESS_BUSY, NOW);
	parts_end(&stranger, NOW);
	assert_int_equal(parts.model.strangers, 1);
	assert_int_equal(parts.line_count, 0);
	assert_int_equal(parts.processes.used, 1);
}

#define with_departures(function) \
	cmocka_unit_test_setup_teardown(function, open_parts, parts_close)

static void what_lives_on_at_the_end_is_told_and_its_connection_counts(void **state)
{
	struct process *told = serving();

	(void)state;
	serving();
	parts_process(PROCESS_IDLE, NOW);
	processes_kill(&parts.processes, REASON_STOPPED, NOW);
	told->unkillable = true;
	parts.line_count = 0;
	departures_leave(&parts.departures, NOW);
	assert_int_equal(parts.processes.used, 0);
	assert_int_equal(parts.sessions.totals.closed[REASON_STOPPED], 2);
	assert_int_equal(lines_with("event=close"), 2);
	assert_int_equal(lines_with("event=unkillable"), 3);
	last_line_has("event=unkillable", "pid=4999999", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_departures(each_outcome_is_counted_and_said_by_itself),
		with_departures(a_session_that_ends_with_its_process_is_said_whole),
		with_departures(a_process_that_leaves_for_nothing_only_frees_its_slot),
		with_departures(spares_that_die_are_replaced_after_ever_longer_pauses),
		with_departures(a_spare_that_could_not_begin_is_said_to_have_failed),
		with_departures(the_end_of_a_stranger_is_told_to_the_model_alone),
		with_departures(
			what_lives_on_at_the_end_is_told_and_its_connection_counts),
	};

	return cmocka_run_group_tests_name("departure", tests, NULL, NULL);
}
