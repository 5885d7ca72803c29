/* How admission shares scarce resources between listeners that have clients. */
#include "engine/supervisor/admission.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "clients.h"
#include "parts.h"

#define NOW   START_US
#define CROWD 6

static unsigned queued(unsigned index)
{
	return (unsigned)listener_queue_length(&parts.admission.listeners[index]);
}

/* The only slot becomes free, and the next client takes it. */
static void serve_one_more(void)
{
	parts_end(parts_server_of(parts.sessions.totals.accepted), NOW);
	admit_at(NOW);
}

static void at_the_limit_a_crowd_and_few_take_turns(void **state)
{
	(void)state;
	listen_on("127.0.0.1:0");
	parts.processes.max = 1;
	clients_come_to(0, CROWD);
	admit_at(NOW);
	assert_int_equal(queued(0), CROWD - 1);
	/* They come while the crowd waits, and wait for at most one client of it. */
	clients_come_to(1, 2);
	serve_one_more();
	assert_int_equal(queued(1), 1);
	serve_one_more();
	assert_int_equal(queued(0), CROWD - 2);
	serve_one_more();
	assert_int_equal(queued(1), 0);
	serve_one_more();
	serve_one_more();
	assert_int_equal(queued(0), CROWD - 4);
}

static void the_first_is_not_starved_by_the_last_either(void **state)
{
	(void)state;
	listen_on("127.0.0.1:0");
	parts.processes.max = 1;
	clients_come_to(1, CROWD);
	admit_at(NOW);
	clients_come_to(0, 1);
	serve_one_more();
	assert_int_equal(queued(0), 0);
}

static void a_unix_socket_has_its_turn_beside_tcp(void **state)
{
	char text[64];

	(void)state;
	snprintf(text, sizeof(text), "unix:@prong-unit-turns-%d", getpid());
	listen_on(text);
	parts.processes.max = 1;
	clients_come_to(0, CROWD);
	admit_at(NOW);
	clients_come_to(1, 2);
	for (unsigned i = 0; i < 4; i++) {
		const struct process *process;

		serve_one_more();
		process = parts_server_of(parts.sessions.totals.accepted);
		assert_int_equal(address_family(&process->session.client.peer),
				 i % 2 == 0 ? AF_UNIX : AF_INET);
	}
}

static void three_listeners_have_a_third_each(void **state)
{
	(void)state;
	listen_on("127.0.0.1:0");
	listen_on("127.0.0.1:0");
	parts.processes.max = 1;
	for (unsigned i = 0; i < 3; i++)
		clients_come_to(i, CROWD);
	admit_at(NOW);
	for (unsigned round = 1; round <= 3; round++) {
		for (unsigned i = 0; i < 3; i++)
			assert_true(queued(i) >= CROWD - round &&
				    queued(i) <= CROWD - round + 1);
		for (unsigned i = 0; i < 3; i++)
			serve_one_more();
	}
}

/* Otherwise 16 clients of one crowd would be served before the first of the other. */
static void slots_that_come_free_together_are_shared(void **state)
{
	(void)state;
	listen_on("127.0.0.1:0");
	clients_come_to(0, CROWD);
	clients_come_to(1, CROWD);
	parts.processes.max = 4;
	admit_at(NOW);
	assert_int_equal(queued(0), CROWD - 2);
	assert_int_equal(queued(1), CROWD - 2);
}

static void clients_that_are_held_while_fork_fails_come_in_turn(void **state)
{
	int64_t now_us = NOW;

	(void)state;
	listen_on("127.0.0.1:0");
	clients_come_to(0, CROWD);
	clients_come_to(1, CROWD);
	for (unsigned i = 0; i < 4; i++) {
		parts.model.error = -EAGAIN;
		admit_at(now_us);
		assert_int_not_equal(parts.admission.held.id, 0);
		now_us += SECOND_US;
		parts.model.error = 0;
		parts.processes.max = i + 1; /* only for the held one */
		admit_at(now_us);
		assert_int_equal(parts.admission.held.id, 0);
		parts.processes.max = PARTS_MAX;
	}
	assert_int_equal(queued(0), CROWD - 2);
	assert_int_equal(queued(1), CROWD - 2);
}

static void out_of_descriptors_refusals_go_round(void **state)
{
	(void)state;
	parts.settings.at_limit = PRONG_REFUSE;
	listen_on("127.0.0.1:0");
	clients_come_to(0, CROWD);
	clients_come_to(1, CROWD);
	take_descriptors();
	for (unsigned i = 0; i < 4; i++)
		admit_at(NOW + i * SECOND_US);
	assert_int_equal(parts.sessions.totals.closed[REASON_REFUSED_DESCRIPTORS], 4);
	assert_int_equal(queued(0), CROWD - 2);
	assert_int_equal(queued(1), CROWD - 2);
}

/* Another process that has it may shut it down: accept(2) fails from then on. */
static void a_listener_that_fails_holds_up_no_other(void **state)
{
	(void)state;
	listen_on("127.0.0.1:0");
	admit_at(NOW);
	assert_int_equal(shutdown(parts.admission.listeners[0].fd, SHUT_RD), 0);
	for (unsigned i = 1; i <= 3; i++) {
		clients_come_to(1, 1);
		admit_at(NOW + i);
		parts_server_of(i);
	}
	assert_int_equal(lines_with("event=accept-failed error=EINVAL"), 1);
	/* It is tried again, less and less often, and the loop does not watch it. */
	assert_int_equal(parts.admission.watched, turns_bit(1));
	assert_int_equal(admission_deadline(&parts.admission),
			 NOW + 1 + BACKOFF_FIRST_US);
	admit_at(NOW + 1 + BACKOFF_FIRST_US);
	assert_int_equal(admission_deadline(&parts.admission),
			 NOW + 1 + 3 * BACKOFF_FIRST_US);
}

static void at_the_stop_a_listener_that_fails_is_closed(void **state)
{
	(void)state;
	listen_on("127.0.0.1:0");
	assert_int_equal(shutdown(parts.admission.listeners[1].fd, SHUT_RD), 0);
	clients_come_to(0, 1);
	admission_drain(&parts.admission, NOW);
	admit_at(NOW);
	parts_server_of(1);
	assert_int_equal(parts.admission.listeners[1].fd, -1);
	admit_at(NOW + HANDSHAKES_BLIND_US);
	assert_true(admission_is_over(&parts.admission));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_listener(at_the_limit_a_crowd_and_few_take_turns),
		with_listener(the_first_is_not_starved_by_the_last_either),
		with_listener(a_unix_socket_has_its_turn_beside_tcp),
		with_listener(three_listeners_have_a_third_each),
		with_listener(slots_that_come_free_together_are_shared),
		with_listener(clients_that_are_held_while_fork_fails_come_in_turn),
		with_listener(out_of_descriptors_refusals_go_round),
		with_listener(a_listener_that_fails_holds_up_no_other),
		with_listener(at_the_stop_a_listener_that_fails_is_closed),
	};

	return cmocka_run_group_tests_name("turns of listeners", tests, NULL, NULL);
}
