/* What admission does if accept(2), or watching for clients, fails. */
#include "engine/supervisor/admission.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "clients.h"
#include "pair.h"
#include "parts.h"

#define NOW      START_US
#define FIRST_US BACKOFF_FIRST_US

static int64_t deadline(void)
{
	return admission_deadline(&parts.admission);
}

static void out_of_descriptors_accepting_pauses_ever_longer(void **state)
{
	int64_t now_us = NOW, pause_us = FIRST_US;

	(void)state;
	clients_come(1);
	take_descriptors();
	for (int i = 0; i < 7; i++) {
		admit_at(now_us);
		/* Nothing spins meanwhile: the loop does not report the client. */
		assert_int_equal(parts.loop.watched, 0);
		assert_int_equal(deadline(), now_us + pause_us);
		admit_at(now_us + pause_us - 1);
		assert_int_equal(deadline(), now_us + pause_us);
		now_us += pause_us;
		pause_us *= 2;
		if (pause_us > BACKOFF_MOST_US)
			pause_us = BACKOFF_MOST_US;
	}
	assert_int_equal(lines_with("event=accept-failed error=EMFILE"), 1);
	assert_int_equal(parts.sessions.totals.accepted, 0);
	give_descriptors();
	admit_at(now_us);
	parts_server_of(1);
	/* After the next failure the pause is short again. */
	assert_int_equal(parts.admission.accept.pause_us, 0);
	assert_int_equal(deadline(), CLOCK_NEVER);
}

static void a_lingering_connection_makes_way_for_a_client(void **state)
{
	struct pair pair = pair_tcp();

	(void)state;
	parts.settings.linger_us = MINUTE_US;
	sessions_let_go(&parts.sessions, pair.server, NOW);
	assert_int_equal(parts.lingering.count, 1);
	clients_come(2);
	take_descriptors();
	admit_at(NOW);
	assert_int_equal(parts.lingering.count, 0);
	/*
	 * The process that serves the first client frees its descriptor for the second.
	 */
	assert_int_equal(parts.sessions.totals.accepted, 2);
	assert_int_equal(parts.line_count, 0);
	assert_int_equal(pair_drain(pair.client), 0);
	close(pair.client);
}

static void the_reserve_serves_to_tell_clients_to_go(void **state)
{
	char text[64];

	(void)state;
	parts.settings.at_limit = PRONG_REFUSE;
	parts.settings.refusal_text = "no descriptors\n";
	clients_come(1);
	take_descriptors();
	for (unsigned i = 1; i <= 3; i++) {
		admit_at(NOW + i * SECOND_US);
		assert_int_equal(
			parts.sessions.totals.closed[REASON_REFUSED_DESCRIPTORS], i);
		assert_true(parts.admission.reserve_fd >= 0);
		assert_int_equal(client_reads(i - 1, text, sizeof(text)), 15);
		assert_string_equal(text, "no descriptors\n");
		give_descriptors();
		clients_come(1);
		take_descriptors();
	}
	assert_int_equal(lines_with("reason=refused-descriptors"), 3);
	assert_int_equal(lines_with("event=accept-failed error=EMFILE"), 3);
}

static void out_of_descriptors_the_first_reason_is_still_told(void **state)
{
	static const char *const all[] = { "all", NULL };

	(void)state;
	parts.settings.at_limit = PRONG_REFUSE;
	parts_limit(&(struct prong_options){ .deny = all });
	clients_come(1);
	take_descriptors();
	admit_at(NOW);
	assert_int_equal(parts.sessions.totals.closed[REASON_REFUSED_DENIED], 1);
	assert_int_equal(parts.sessions.totals.closed[REASON_REFUSED_DESCRIPTORS], 0);
}

static void where_clients_wait_the_reserve_is_not_used_up(void **state)
{
	int reserve = parts.admission.reserve_fd;

	(void)state;
	clients_come(1);
	take_descriptors();
	admit_at(NOW);
	assert_int_equal(parts.admission.reserve_fd, reserve);
	assert_int_equal(fcntl(reserve, F_GETFD), FD_CLOEXEC);
	assert_int_equal(listener_queue_length(&parts.admission.listeners[0]), 1);
}

/*
 * EOPNOTSUPP, for example, comes from the next client's network; if it comes always,
 * the listener is the cause.
 */
static void an_error_of_clients_that_always_comes_makes_a_pause(void **state)
{
	struct listener *listener = &parts.admission.listeners[0];

	(void)state;
	listener_close(listener);
	listener->fd = socket(AF_INET, SOCK_DGRAM, 0);
	assert_true(listener->fd >= 0);
	parts.admission.turns.waiting = turns_bit(0);
	admission_admit(&parts.admission, NOW);
	last_line_has("event=accept-failed", "error=EOPNOTSUPP", NULL);
	assert_int_equal(deadline(), NOW + FIRST_US);
}

static void a_listener_that_cannot_be_watched_is_tried_again_later(void **state)
{
	int epoll = parts.loop.fd;

	(void)state;
	clients_come(1);
	parts.loop.fd = -1;
	admission_settle(&parts.admission, NOW);
	parts.loop.fd = epoll;
	assert_int_equal(parts.admission.watched, 0);
	last_line_has("event=accept-failed", "error=EBADF", NULL);
	assert_int_equal(deadline(), NOW + FIRST_US);
	admit_at(NOW + FIRST_US - 1);
	assert_int_equal(parts.sessions.totals.accepted, 0);
	admit_at(NOW + FIRST_US);
	parts_server_of(1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_listener(out_of_descriptors_accepting_pauses_ever_longer),
		with_listener(a_lingering_connection_makes_way_for_a_client),
		with_listener(the_reserve_serves_to_tell_clients_to_go),
		with_listener(out_of_descriptors_the_first_reason_is_still_told),
		with_listener(where_clients_wait_the_reserve_is_not_used_up),
		with_listener(an_error_of_clients_that_always_comes_makes_a_pause),
		with_listener(a_listener_that_cannot_be_watched_is_tried_again_later),
	};

	return cmocka_run_group_tests_name("accept_failures", tests, NULL, NULL);
}
