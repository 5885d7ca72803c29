#include "engine/supervisor/admission.h"

#include <errno.h>
#include <string.h>

#include "base/clock.h"
#include "check.h"
#include "clients.h"
#include "parts.h"

#define NOW      START_US
#define FIRST_US BACKOFF_FIRST_US

static const struct listener *const listener = &parts.admission.listeners[0];

static uint64_t accepted(void)
{
	return parts.sessions.totals.accepted;
}

static uint64_t closed(enum reason reason)
{
	return parts.sessions.totals.closed[reason];
}

static int64_t deadline(void)
{
	return admission_deadline(&parts.admission);
}

static void a_batch_is_16_clients_and_the_rest_come_at_the_next_turn(void **state)
{
	(void)state;
	clients_come(20);
	admission_settle(&parts.admission, NOW);
	assert_int_equal(loop_wait(&parts.loop, 0), 0);
	admission_admit(&parts.admission, NOW);
	assert_int_equal(accepted(), 16);
	assert_int_equal(deadline(), 0);
	/* Without another event of the loop. */
	admission_admit(&parts.admission, NOW);
	assert_int_equal(accepted(), 20);
	assert_int_equal(deadline(), CLOCK_NEVER);
	assert_int_equal(parts.processes.in[PROCESS_BUSY].count, 20);
	for (uint64_t i = 1; i <= 20; i++)
		parts_server_of(i);
}

static void without_a_client_nothing_is_due(void **state)
{
	(void)state;
	admit_at(NOW);
	assert_int_equal(parts.admission.watched, turns_bit(0));
	assert_int_equal(deadline(), CLOCK_NEVER);
	/* A client that left before it was accepted also wakes the loop. */
	parts.admission.turns.waiting = turns_bit(0);
	admission_admit(&parts.admission, NOW);
	assert_int_equal(accepted(), 0);
	assert_int_equal(deadline(), CLOCK_NEVER);
	assert_int_equal(parts.line_count, 0);
}

static void clients_of_every_listener_are_admitted(void **state)
{
	int other;

	(void)state;
	listen_on("127.0.0.1:0");
	clients_come(1);
	other = try_to_come(&parts.admission.listeners[1].address);
	assert_true(other >= 0);
	clients.fds[clients.count++] = other;
	while (accepted() < 2)
		admit_at(NOW);
	assert_int_equal(parts.loop.watched, 2);
}

static void at_the_limit_clients_wait_and_the_loop_hears_nothing_of_them(void **state)
{
	(void)state;
	parts.processes.max = 1;
	clients_come(3);
	admit_at(NOW);
	assert_int_equal(accepted(), 1);
	assert_int_equal(listener_queue_length(listener), 2);
	assert_int_equal(parts.loop.watched, 0);
	assert_int_equal(deadline(), CLOCK_NEVER);
	last_line_has("event=limit-reached", "max_processes=1", "clients=wait", NULL);
	parts_end(parts_server_of(1), NOW);
	admit_at(NOW);
	assert_int_equal(accepted(), 2);
	assert_int_equal(listener_queue_length(listener), 1);
	assert_int_equal(closed(REASON_DONE), 1);
}

static void a_listener_that_was_left_out_of_the_loop_comes_back(void **state)
{
	(void)state;
	parts.processes.max = 1;
	clients_come(1);
	admit_at(NOW);
	assert_int_equal(parts.loop.watched, 0);
	parts_end(parts_server_of(1), NOW);
	admission_settle(&parts.admission, NOW);
	assert_int_equal(parts.loop.watched, 1);
	clients_come(1);
	assert_int_equal(loop_wait(&parts.loop, 0), 0);
	assert_int_equal(deadline(), 0);
}

static void with_refuse_clients_over_the_limit_are_told_so(void **state)
{
	char text[64];

	(void)state;
	parts.processes.max = 1;
	parts.settings.at_limit = PRONG_REFUSE;
	parts.settings.refusal_text = "full\n";
	clients_come(3);
	admit_at(NOW);
	assert_int_equal(accepted(), 3);
	assert_int_equal(closed(REASON_REFUSED_FULL), 2);
	assert_int_equal(lines_with("clients=refused"), 1);
	/* A line of it is written once a second, and the listener stays in the loop. */
	assert_int_equal(lines_with("reason=refused-full"), 1);
	assert_int_equal(parts.admission.watched, turns_bit(0));
	for (unsigned i = 1; i < 3; i++) {
		assert_int_equal(client_reads(i, text, sizeof(text)), 5);
		assert_string_equal(text, "full\n");
	}
	parts_end(parts_server_of(1), NOW);
	clients_come(1);
	admit_at(NOW);
	parts_server_of(4);
}

/* A client that would be refused anyway is not told to come again. */
static void what_policy_forbids_is_told_before_the_server_is_full(void **state)
{
	static const char *const all[] = { "all", NULL };

	(void)state;
	parts.processes.max = 1;
	parts.settings.at_limit = PRONG_REFUSE;
	parts_process(PROCESS_BUSY, NOW);
	parts_limit(&(struct prong_options){ .deny = all });
	clients_come(1);
	admit_at(NOW);
	assert_int_equal(closed(REASON_REFUSED_DENIED), 1);
	assert_int_equal(closed(REASON_REFUSED_FULL), 0);
	parts_limit(&(struct prong_options){ 0 });
	clients_come(1);
	admit_at(NOW);
	assert_int_equal(closed(REASON_REFUSED_FULL), 1);
}

static void a_refused_client_counts_towards_no_limit(void **state)
{
	(void)state;
	parts_limit(&(struct prong_options){ .max_per_source = 1 });
	clients_come(3);
	admit_at(NOW);
	assert_int_equal(closed(REASON_REFUSED_MAX_PER_SOURCE), 2);
	assert_int_equal(parts.model.asked, 1);
	parts_end(parts_server_of(1), NOW);
	clients_come(1);
	admit_at(NOW);
	parts_server_of(4);
}

static void a_client_is_held_until_a_process_can_be_made(void **state)
{
	(void)state;
	parts.model.error = -EAGAIN;
	clients_come(2);
	admit_at(NOW);
	last_line_has("event=fork-failed", "error=EAGAIN", "processes=0", NULL);
	assert_int_equal(accepted(), 1);
	assert_int_equal(parts.admission.held.id, 1);
	assert_int_equal(parts.loop.watched, 0);
	assert_int_equal(deadline(), NOW + FIRST_US);
	/* Nothing is tried before its time. */
	admit_at(NOW + FIRST_US - 1);
	assert_int_equal(parts.model.asked, 1);
	admit_at(NOW + FIRST_US);
	assert_int_equal(parts.model.asked, 2);
	assert_int_equal(deadline(), NOW + FIRST_US + 2 * FIRST_US);
	parts.model.error = 0;
	admit_at(NOW + 3 * FIRST_US);
	assert_int_equal(parts.admission.held.id, 0);
	parts_server_of(1);
	admit_at(NOW + 3 * FIRST_US);
	parts_server_of(2);
	assert_int_equal(totals_closed(&parts.sessions.totals), 0);
}

/* The end of a process does not help: only the pause decides. */
static void a_held_client_at_the_limit_waits_for_a_slot(void **state)
{
	struct process *other;

	(void)state;
	parts.processes.max = 2;
	parts.model.error = -ENOMEM;
	clients_come(1);
	admit_at(NOW);
	parts_process(PROCESS_BUSY, NOW);
	other = parts_process(PROCESS_BUSY, NOW);
	parts.model.error = 0;
	assert_int_equal(deadline(), CLOCK_NEVER);
	admit_at(NOW + FIRST_US);
	assert_int_equal(parts.admission.held.id, 1);
	parts_end(other, NOW + FIRST_US);
	admit_at(NOW + FIRST_US);
	parts_server_of(1);
}

static void with_refuse_a_client_without_a_process_is_told_so(void **state)
{
	char text[64];

	(void)state;
	parts.settings.at_limit = PRONG_REFUSE;
	parts.settings.refusal_text = "later\n";
	parts.model.error = -EAGAIN;
	clients_come(2);
	admit_at(NOW);
	assert_int_equal(closed(REASON_REFUSED_FORK), 2);
	assert_int_equal(parts.model.asked, 1); /* the second came during the pause */
	assert_int_equal(client_reads(1, text, sizeof(text)), 6);
	assert_string_equal(text, "later\n");
	assert_int_equal(parts.admission.watched, turns_bit(0));
}

static void clients_that_workers_accept_are_not_watched_for(void **state)
{
	(void)state;
	parts.admission.accepts = false;
	clients_come(1);
	admit_at(NOW);
	assert_int_equal(parts.loop.watched, 0);
	assert_int_equal(accepted(), 0);
	assert_int_equal(deadline(), CLOCK_NEVER);
}

static void the_end_of_the_limit_is_told_after_a_second_of_calm(void **state)
{
	(void)state;
	parts.processes.max = 1;
	for (int64_t i = 0; i < 3; i++) {
		clients_come(1);
		admit_at(NOW + i);
		parts_end(parts_server_of((uint64_t)i + 1), NOW + i);
		admit_at(NOW + i);
		assert_int_equal(deadline(), NOW + i + SECOND_US);
	}
	assert_int_equal(lines_with("limit-reached"), 1);
	admit_at(NOW + 1 + SECOND_US);
	assert_int_equal(lines_with("limit-cleared"), 0);
	admit_at(NOW + 2 + SECOND_US);
	last_line_has("event=limit-cleared", "duration_ms=0", "times=3", NULL);
	assert_int_equal(deadline(), CLOCK_NEVER);
}

static void a_limit_that_is_reached_again_has_not_ended(void **state)
{
	(void)state;
	parts.processes.max = 1;
	clients_come(1);
	admit_at(NOW);
	parts_end(parts_server_of(1), NOW);
	admit_at(NOW);
	clients_come(1);
	admit_at(NOW + 1);
	assert_int_equal(deadline(), CLOCK_NEVER);
	admit_at(NOW + MINUTE_US);
	assert_int_equal(lines_with("limit-cleared"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_listener(a_batch_is_16_clients_and_the_rest_come_at_the_next_turn),
		with_listener(without_a_client_nothing_is_due),
		with_listener(clients_of_every_listener_are_admitted),
		with_listener(
			at_the_limit_clients_wait_and_the_loop_hears_nothing_of_them),
		with_listener(a_listener_that_was_left_out_of_the_loop_comes_back),
		with_listener(with_refuse_clients_over_the_limit_are_told_so),
		with_listener(what_policy_forbids_is_told_before_the_server_is_full),
		with_listener(a_refused_client_counts_towards_no_limit),
		with_listener(a_client_is_held_until_a_process_can_be_made),
		with_listener(a_held_client_at_the_limit_waits_for_a_slot),
		with_listener(with_refuse_a_client_without_a_process_is_told_so),
		with_listener(clients_that_workers_accept_are_not_watched_for),
		with_listener(the_end_of_the_limit_is_told_after_a_second_of_calm),
		with_listener(a_limit_that_is_reached_again_has_not_ended),
	};

	return cmocka_run_group_tests_name("admission", tests, NULL, NULL);
}
