#include "engine/supervisor/stop.h"

#include <signal.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "pair.h"
#include "parts.h"

#define NOW      START_US
#define LEAVE_US 1500000 /* from SIGKILL to the end */

/* One in each state of a living process. */
static struct process *idle, *busy, *accepting, *ending;

static void make_processes(void)
{
	idle = parts_process(PROCESS_IDLE, NOW);
	busy = parts_process(PROCESS_BUSY, NOW);
	accepting = parts_process(PROCESS_ACCEPTING, NOW);
	ending = parts_process(PROCESS_ENDING, NOW);
}

static void open_listener(void)
{
	struct listener *listener = &parts.admission.listeners[0];
	struct address_list list = { 0 };

	assert_int_equal(address_lookup(&list, "127.0.0.1:0", NULL), 0);
	assert_int_equal(listener_open(listener, &list.at[0], NULL, NULL), 0);
	parts.admission.listener_count = 1;
	parts.admission.open = turns_bit(0);
}

static void begin(int64_t grace_us)
{
	stop_begin(&parts.stop, SIGTERM, 3, grace_us, NOW);
}

static void a_stop_takes_no_new_clients_and_says_so(void **state)
{
	(void)state;
	assert_int_equal(stop_deadline(&parts.stop), CLOCK_NEVER);
	begin(30 * SECOND_US);
	assert_true(parts.admission.draining);
	assert_true(parts.dispatch.draining);
	assert_true(parts.model.drained);
	last_line_has("event=stopping", "signal=TERM", "sessions=3", "grace_ms=30000",
		      NULL);
	assert_int_equal(parts.sent_count, 0);
}

/* SIGTERM comes half a second before SIGKILL, or a tenth of the grace. */
static void sessions_have_the_grace_but_for_a_short_notice(void **state)
{
	static const struct {
		int64_t grace_us, notice_us;
	} rows[] = {
		{ 30 * SECOND_US, SECOND_US / 2 },
		{ 5 * SECOND_US, SECOND_US / 2 },
		{ 4 * SECOND_US, 400000 },
		{ 1000, 100 },
		{ 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		begin(rows[i].grace_us);
		assert_int_equal(parts.stop.kill_at_us, NOW + rows[i].grace_us);
		assert_int_equal(parts.stop.term_at_us,
				 NOW + rows[i].grace_us - rows[i].notice_us);
	}
}

static void at_the_notice_those_that_may_serve_are_told_to_end(void **state)
{
	int64_t term_us = NOW + 29500000;

	(void)state;
	make_processes();
	begin(30 * SECOND_US);
	assert_int_equal(stop_deadline(&parts.stop), term_us);
	stop_enforce(&parts.stop, 2, term_us - 1);
	assert_int_equal(parts.sent_count, 0);
	assert_int_equal(lines_with("grace-expired"), 0);
	stop_enforce(&parts.stop, 2, term_us);
	last_line_has("event=grace-expired", "sessions=2", NULL);
	assert_int_equal(parts.sent_count, 2);
	assert_true(was_sent(0, -busy->pid, SIGTERM));
	assert_true(was_sent(1, -accepting->pid, SIGTERM));
	assert_int_equal(busy->state, PROCESS_ENDING);
	assert_int_equal(accepting->state, PROCESS_ENDING);
	assert_int_equal(busy->end_cause, REASON_STOPPED);
	assert_int_equal(idle->state, PROCESS_IDLE);
	assert_int_equal(stop_deadline(&parts.stop), NOW + 30 * SECOND_US);
	/* Only once: a second look sends nothing. */
	stop_enforce(&parts.stop, 2, term_us);
	assert_int_equal(parts.sent_count, 2);
	assert_int_equal(lines_with("grace-expired"), 1);
}

static void after_the_grace_all_that_live_are_killed(void **state)
{
	int64_t kill_us = NOW + 30 * SECOND_US;

	(void)state;
	make_processes();
	begin(30 * SECOND_US);
	stop_enforce(&parts.stop, 2, kill_us - 1);
	assert_int_equal(parts.sent_count, 2);
	stop_enforce(&parts.stop, 2, kill_us);
	assert_int_equal(parts.sent_count, 2 + 2 * 4);
	for (unsigned i = 0; i < parts.processes.touched; i++) {
		assert_int_equal(parts.processes.at[i].state, PROCESS_KILLED);
		assert_int_equal(parts.processes.at[i].end_cause, REASON_STOPPED);
	}
	for (unsigned i = 2; i < parts.sent_count; i++)
		assert_int_equal(parts.sent[i].number, SIGKILL);
	assert_int_equal(stop_deadline(&parts.stop), kill_us + LEAVE_US);
}

static void without_a_grace_all_of_that_is_due_at_once(void **state)
{
	(void)state;
	make_processes();
	begin(0);
	assert_int_equal(stop_deadline(&parts.stop), NOW);
	stop_enforce(&parts.stop, 2, NOW);
	assert_int_equal(lines_with("grace-expired"), 1);
	assert_int_equal(parts.processes.in[PROCESS_KILLED].count, 4);
}

static void a_stop_at_once_leaves_no_time(void **state)
{
	struct pair pair = pair_tcp(), late = pair_tcp();

	(void)state;
	make_processes();
	open_listener();
	sessions_let_go(&parts.sessions, pair.server, NOW);
	assert_int_equal(parts.lingering.count, 1);
	begin(30 * SECOND_US);
	stop_at_once(&parts.stop, NOW + 1);
	assert_int_equal(parts.sent_count, 2 * 4);
	assert_int_equal(parts.processes.in[PROCESS_KILLED].count, 4);
	assert_int_equal(parts.lingering.count, 0);
	assert_int_equal(parts.admission.listeners[0].fd, -1);
	assert_true(parts.dispatch.finished);
	/* There is no notice any more, and a late connection does not linger. */
	assert_int_equal(stop_deadline(&parts.stop), NOW + 1 + LEAVE_US);
	assert_int_equal(lines_with("grace-expired"), 0);
	sessions_let_go(&parts.sessions, late.server, NOW + 1);
	assert_int_equal(parts.lingering.count, 0);
	assert_int_equal(pair_drain(late.client), 0);
	close(pair.client);
	close(late.client);
}

static void a_killed_process_keeps_the_cause_it_had(void **state)
{
	(void)state;
	make_processes();
	process_terminate(&parts.processes, busy, REASON_DEADLINE, NOW);
	stop_at_once(&parts.stop, NOW);
	assert_int_equal(busy->end_cause, REASON_DEADLINE);
	assert_int_equal(idle->end_cause, REASON_STOPPED);
}

/* Each thing that is left keeps the server running. */
static void a_stop_is_complete_when_nothing_is_left(void **state)
{
	struct pair pair = pair_tcp();

	(void)state;
	assert_false(stop_is_complete(&parts.stop));
	begin(30 * SECOND_US);
	assert_true(stop_is_complete(&parts.stop));
	busy = parts_process(PROCESS_BUSY, NOW);
	assert_false(stop_is_complete(&parts.stop));
	process_free(&parts.processes, busy);
	assert_true(stop_is_complete(&parts.stop));
	open_listener();
	assert_false(stop_is_complete(&parts.stop));
	listener_close(&parts.admission.listeners[0]);
	parts.admission.open = 0;
	assert_true(stop_is_complete(&parts.stop));
	parts.settings.linger_us = SECOND_US;
	sessions_let_go(&parts.sessions, pair.server, NOW);
	assert_false(stop_is_complete(&parts.stop));
	linger_expire(&parts.lingering, NOW + SECOND_US);
	assert_true(stop_is_complete(&parts.stop));
	parts.admission.held.id = 1;
	assert_false(stop_is_complete(&parts.stop));
	parts.admission.held.id = 0;
	assert_true(stop_is_complete(&parts.stop));
	close(pair.client);
}

/* Another request does not delay the end either. */
static void the_end_comes_although_a_process_is_left(void **state)
{
	(void)state;
	busy = parts_process(PROCESS_BUSY, NOW);
	stop_at_once(&parts.stop, NOW);
	stop_at_once(&parts.stop, NOW + SECOND_US);
	assert_false(stop_is_complete(&parts.stop));
	assert_int_equal(stop_deadline(&parts.stop), NOW + LEAVE_US);
}

/* For example, descendants that programs left behind. */
static void a_stop_waits_for_strays(void **state)
{
	(void)state;
	parts.model.has_strays = true;
	begin(30 * SECOND_US);
	assert_false(stop_is_complete(&parts.stop));
	parts.model.has_strays = false;
	assert_true(stop_is_complete(&parts.stop));
}

/* Closing the last listener is no event that would wake the loop. */
static void a_complete_stop_does_not_wait_for_the_grace(void **state)
{
	(void)state;
	busy = parts_process(PROCESS_BUSY, NOW);
	begin(30 * SECOND_US);
	assert_int_equal(stop_deadline(&parts.stop), NOW + 29500000);
	process_free(&parts.processes, busy);
	assert_int_equal(stop_deadline(&parts.stop), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_parts(a_stop_takes_no_new_clients_and_says_so),
		with_parts(sessions_have_the_grace_but_for_a_short_notice),
		with_parts(at_the_notice_those_that_may_serve_are_told_to_end),
		with_parts(after_the_grace_all_that_live_are_killed),
		with_parts(without_a_grace_all_of_that_is_due_at_once),
		with_parts(a_stop_at_once_leaves_no_time),
		with_parts(a_killed_process_keeps_the_cause_it_had),
		with_parts(a_stop_is_complete_when_nothing_is_left),
		with_parts(the_end_comes_although_a_process_is_left),
		with_parts(a_stop_waits_for_strays),
		with_parts(a_complete_stop_does_not_wait_for_the_grace),
	};

	return cmocka_run_group_tests_name("stop", tests, NULL, NULL);
}
