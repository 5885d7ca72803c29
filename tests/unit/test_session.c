#include "engine/supervisor/session.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "engine/supervisor/ending.h"
#include "pair.h"
#include "parts.h"
#include "peer.h"

#define NOW START_US

static struct client accepted(int fd)
{
	struct client client = {
		.fd = fd,
		.accepted_at_us = NOW,
		.peer = peer_at("192.0.2.1"),
		.source = SOURCE_NONE,
	};

	sessions_accepted(&parts.sessions, &client);
	return client;
}

static uint64_t closed(enum reason reason)
{
	return parts.sessions.totals.closed[reason];
}

/* Refuses the server's end of a pair as if it had just been accepted. */
static void refuse(struct pair *pair, enum reason reason, bool at_once)
{
	struct client client = accepted(pair->server);

	sessions_refuse(&parts.sessions, &client, reason, at_once, NOW);
	assert_int_equal(client.fd, -1);
	assert_int_equal(client.id, 0);
	pair->server = -1;
}

static void clients_are_numbered_from_1(void **state)
{
	(void)state;
	for (uint64_t i = 1; i <= 3; i++)
		assert_int_equal(accepted(-1).id, i);
	assert_int_equal(parts.sessions.totals.accepted, 3);
	assert_int_equal(totals_active(&parts.sessions.totals), 3);
}

/* In whatever way it ends. */
static void each_client_is_counted_once_when_it_comes_and_once_when_it_ends(
	void **state)
{
	struct score_row row = { .bytes_in = 5, .bytes_out = 7 };
	struct client dropped = accepted(-1), ended = accepted(-1);
	struct pair pair = pair_tcp();
	struct ending ending;

	(void)state;
	refuse(&pair, REASON_REFUSED_RATE, false);
	assert_int_equal(closed(REASON_REFUSED_RATE), 1);
	assert_int_equal(totals_active(&parts.sessions.totals), 2);
	sessions_drop(&parts.sessions, &dropped, REASON_EXEC_FAILED, NOW);
	assert_int_equal(closed(REASON_EXEC_FAILED), 1);
	assert_int_equal(totals_active(&parts.sessions.totals), 1);
	ending_fill(&ending, REASON_EOF, FIRST_PID, &row);
	sessions_end(&parts.sessions, &ended, &ending, NOW);
	assert_int_equal(closed(REASON_EOF), 1);
	assert_int_equal(ended.id, 0);
	assert_int_equal(totals_active(&parts.sessions.totals), 0);
	assert_int_equal(totals_closed(&parts.sessions.totals), 3);
	assert_int_equal(parts.sessions.totals.accepted, 3);
	assert_int_equal(parts.sessions.totals.bytes_in, 5);
	assert_int_equal(parts.sessions.totals.bytes_out, 7);
	pair_close(&pair);
}

static void a_client_that_has_left_no_longer_counts_for_its_source(void **state)
{
	struct score_row row = { 0 };
	struct client clients[3], next;
	struct ending ending;

	(void)state;
	parts_limit(&(struct prong_options){ .max_per_source = 3 });
	for (unsigned i = 0; i < 3; i++) {
		clients[i] = accepted(-1);
		assert_int_equal(sessions_judge(&parts.sessions, &clients[i], NOW),
				 REASON_NONE);
		sessions_admit(&parts.sessions, &clients[i], NOW);
		assert_int_equal(sessions_of_source(&parts.sessions, &clients[i]),
				 i + 1);
	}
	next = accepted(-1);
	assert_int_equal(sessions_judge(&parts.sessions, &next, NOW),
			 REASON_REFUSED_MAX_PER_SOURCE);
	ending_fill(&ending, REASON_EOF, FIRST_PID, &row);
	sessions_end(&parts.sessions, &clients[0], &ending, NOW);
	sessions_drop(&parts.sessions, &clients[1], REASON_STOPPED, NOW);
	assert_int_equal(sessions_of_source(&parts.sessions, &clients[2]), 1);
	assert_int_equal(sessions_judge(&parts.sessions, &next, NOW), REASON_NONE);
}

static void bytes_without_number_are_still_a_number(void **state)
{
	struct score_row row = { .bytes_in = UINT64_MAX };
	struct ending ending;

	(void)state;
	ending_fill(&ending, REASON_EOF, FIRST_PID, &row);
	for (int i = 0; i < 3; i++) {
		struct client client = accepted(-1);

		sessions_end(&parts.sessions, &client, &ending, NOW);
	}
	assert_int_equal(parts.sessions.totals.bytes_in, INT64_MAX);
}

static void a_refused_client_meets_the_end_of_its_connection(void **state)
{
	struct pair pair = pair_tcp();

	(void)state;
	refuse(&pair, REASON_REFUSED_DENIED, false);
	last_line_has("event=refused", "conn=1", "peer=192.0.2.1:7",
		      "reason=refused-denied", NULL);
	assert_int_equal(pair_drain(pair.client), 0);
	assert_int_equal(parts.lingering.count, 0);
	pair_close(&pair);
}

static void a_refused_client_meets_a_reset_where_that_is_asked_for(void **state)
{
	struct pair pair = pair_tcp();

	(void)state;
	parts.settings.refusal = PRONG_REFUSAL_RESET;
	refuse(&pair, REASON_REFUSED_DENIED, false);
	assert_int_equal(pair_drain(pair.client), -ECONNRESET);
	pair_close(&pair);
}

/* It has sent something that is not read: close(2) alone would reset it. */
static void a_refused_client_has_a_second_to_read_the_text(void **state)
{
	struct pair pair = pair_tcp();
	char text[5];

	(void)state;
	parts.settings.refusal_text = "full\n";
	assert_int_equal(write(pair.client, "hello", 5), 5);
	refuse(&pair, REASON_REFUSED_FULL, false);
	assert_int_equal(parts.lingering.count, 1);
	assert_int_equal(linger_deadline(&parts.lingering), NOW + SECOND_US);
	pair_read(pair.client, text, 5);
	assert_memory_equal(text, "full\n", 5);
	assert_int_equal(pair_drain(pair.client), 0);
	linger_expire(&parts.lingering, NOW + SECOND_US - 1);
	assert_int_equal(parts.lingering.count, 1);
	linger_expire(&parts.lingering, NOW + SECOND_US);
	assert_int_equal(parts.lingering.count, 0);
	pair_close(&pair);
}

static void where_descriptors_are_short_the_text_is_all_it_gets(void **state)
{
	struct pair pair = pair_tcp();

	(void)state;
	parts.settings.refusal_text = "full\n";
	refuse(&pair, REASON_REFUSED_DESCRIPTORS, true);
	assert_int_equal(parts.lingering.count, 0);
	assert_int_equal(pair_drain(pair.client), 5);
	pair_close(&pair);
}

static void a_dropped_client_keeps_its_descriptor(void **state)
{
	struct pair pair = pair_tcp();
	struct client client = accepted(pair.server);

	(void)state;
	sessions_drop(&parts.sessions, &client, REASON_EXEC_FAILED, NOW);
	assert_true(fcntl(pair.server, F_GETFD) >= 0);
	pair_close(&pair);
}

static void what_is_let_go_lingers_until_room_is_needed(void **state)
{
	struct pair first = pair_tcp(), second = pair_tcp();

	(void)state;
	parts.settings.linger_us = MINUTE_US;
	assert_false(sessions_make_room(&parts.sessions));
	sessions_let_go(&parts.sessions, first.server, NOW);
	sessions_let_go(&parts.sessions, second.server, NOW + 1);
	assert_int_equal(linger_deadline(&parts.lingering), NOW + MINUTE_US);
	/* The one that has lingered longest goes first. */
	assert_true(sessions_make_room(&parts.sessions));
	assert_int_equal(linger_deadline(&parts.lingering), NOW + 1 + MINUTE_US);
	assert_true(sessions_make_room(&parts.sessions));
	assert_false(sessions_make_room(&parts.sessions));
	close(first.client);
	close(second.client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_parts(clients_are_numbered_from_1),
		with_parts(
			each_client_is_counted_once_when_it_comes_and_once_when_it_ends),
		with_parts(a_client_that_has_left_no_longer_counts_for_its_source),
		with_parts(bytes_without_number_are_still_a_number),
		with_parts(a_refused_client_meets_the_end_of_its_connection),
		with_parts(a_refused_client_meets_a_reset_where_that_is_asked_for),
		with_parts(a_refused_client_has_a_second_to_read_the_text),
		with_parts(where_descriptors_are_short_the_text_is_all_it_gets),
		with_parts(a_dropped_client_keeps_its_descriptor),
		with_parts(what_is_let_go_lingers_until_room_is_needed),
	};

	return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
