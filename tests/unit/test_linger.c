#include "engine/supervisor/linger.h"

#include <sys/socket.h>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "fake.h"

#define MS       INT64_C(1000)
#define START    (1000 * 1000 * MS)
#define PATIENCE (2000 * MS)

#define LINGER_BYTES ((size_t)1024 * 1024) /* as in fake.c */

static struct lingering *const lingering = &fake.lingering;

/* Hands over the server's end; the caller closes the client's. */
static void start_at(struct pair *pair, int64_t now)
{
	linger_start(lingering, pair->server, PATIENCE, now);
	pair->server = -1;
}

/* Has the loop report what has happened so far. */
static void hear(void)
{
	assert_int_equal(loop_wait(&fake.loop, 0), 0);
}

/* Waits until the client's bytes, or its end, have arrived. */
static void wait_for_input(const struct pair *pair)
{
	struct pollfd readable = { .fd = pair->server, .events = POLLIN };

	assert_int_equal(poll(&readable, 1, -1), 1);
}

/* Sends size bytes, or as many as the other end reads before it closes. */
static long send_on(int fd, long size)
{
	static char bytes[65536];
	long total = 0;

	while (total < size) {
		ssize_t n = send(fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL);

		if (n > 0)
			total += n;
		else if (lingering->count == 0)
			break;
		hear();
	}
	return total;
}

static void a_client_sees_the_end_at_once_and_can_still_send(void **state)
{
	struct pair pair = pair_unix();

	(void)state;
	start_at(&pair, START);
	expect_end(pair.client);
	assert_int_equal(lingering->count, 1);
	assert_int_equal(send(pair.client, "more", 4, MSG_NOSIGNAL), 4);
	hear();
	assert_int_equal(lingering->count, 1);
	close(pair.client);
}

static void it_closes_when_the_client_has_ended_its_sending(void **state)
{
	struct pair pair = pair_unix();

	(void)state;
	start_at(&pair, START);
	assert_int_equal(send(pair.client, "more", 4, MSG_NOSIGNAL), 4);
	shutdown(pair.client, SHUT_WR);
	hear();
	assert_int_equal(lingering->count, 0);
	assert_int_equal(fake.loop.watched, 0);
	assert_int_equal(linger_deadline(lingering), CLOCK_NEVER);
	assert_int_equal(send(pair.client, "gone", 4, MSG_NOSIGNAL), -1);
	close(pair.client);
}

static void what_a_client_has_sent_and_ended_is_not_waited_for(void **state)
{
	struct pair pair = pair_unix();

	(void)state;
	assert_int_equal(send(pair.client, "more", 4, 0), 4);
	shutdown(pair.client, SHUT_WR);
	start_at(&pair, START);
	assert_int_equal(lingering->count, 0);
	expect_end(pair.client);
	close(pair.client);
}

static void a_client_that_is_gone_is_not_waited_for(void **state)
{
	struct pair pair = pair_tcp();

	(void)state;
	pair_reset(&pair);
	wait_for_input(&pair);
	start_at(&pair, START);
	assert_int_equal(lingering->count, 0);
}

/* close(2) alone would reset a connection with unread input, and destroy the reply. */
static void a_client_that_was_not_read_to_the_end_gets_its_whole_reply(void **state)
{
	static const char reply[] = "the reply";
	struct pair pair = pair_tcp();
	char text[sizeof(reply)];

	(void)state;
	assert_int_equal(send(pair.client, "unread", 6, 0), 6);
	wait_for_input(&pair);
	assert_int_equal(send(pair.server, reply, sizeof(reply), 0), sizeof(reply));
	start_at(&pair, START);
	linger_expire(lingering, START + PATIENCE);
	assert_int_equal(lingering->count, 0);
	pair_read(pair.client, text, sizeof(text));
	assert_string_equal(text, reply);
	assert_int_equal(pair_drain(pair.client), 0);
	close(pair.client);
}

/* A program may have set it; close(2) would then reset the connection, or wait. */
static void so_linger_of_a_program_has_no_effect(void **state)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };
	struct pair pair = pair_tcp();

	(void)state;
	setsockopt(pair.server, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	linger_close_fd(pair.server);
	assert_int_equal(pair_drain(pair.client), 0);
	close(pair.client);
}

static void it_closes_when_the_patience_is_over(void **state)
{
	struct pair pair = pair_unix();

	(void)state;
	start_at(&pair, START);
	assert_int_equal(linger_deadline(lingering), START + PATIENCE);
	linger_expire(lingering, START + PATIENCE - 1);
	assert_int_equal(lingering->count, 1);
	linger_expire(lingering, START + PATIENCE);
	assert_int_equal(lingering->count, 0);
	assert_int_equal(send(pair.client, "gone", 4, MSG_NOSIGNAL), -1);
	assert_int_equal(linger_deadline(lingering), CLOCK_NEVER);
	close(pair.client);
}

static void what_a_client_sends_does_not_buy_it_time(void **state)
{
	struct pair pair = pair_unix();

	(void)state;
	start_at(&pair, START);
	assert_int_equal(send(pair.client, "more", 4, 0), 4);
	hear();
	assert_int_equal(linger_deadline(lingering), START + PATIENCE);
	close(pair.client);
}

static void a_client_that_sends_too_much_is_closed(void **state)
{
	struct pair pair = pair_unix();
	long sent;

	(void)state;
	start_at(&pair, START);
	sent = send_on(pair.client, 64 * LINGER_BYTES);
	assert_int_equal(lingering->count, 0);
	/* The kernel's buffers hold what was sent beyond that. */
	assert_in_range(sent, LINGER_BYTES, 2 * LINGER_BYTES);
	close(pair.client);
}

static void what_was_unread_at_the_start_counts_as_sent(void **state)
{
	struct pair pair = pair_unix();

	(void)state;
	assert_int_equal(send(pair.client, "unread", 6, 0), 6);
	start_at(&pair, START);
	assert_int_equal(send(pair.client, "more", 4, 0), 4);
	hear();
	assert_int_equal(lingering->at[0].unread_bytes, 10);
	close(pair.client);
}

static void each_closes_at_its_own_time(void **state)
{
	struct pair pairs[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		pairs[i] = pair_unix();
		start_at(&pairs[i], START + i * MS);
	}
	shutdown(pairs[0].client, SHUT_WR);
	hear();
	assert_int_equal(linger_deadline(lingering), START + 1 * MS + PATIENCE);
	linger_expire(lingering, START + 1 * MS + PATIENCE);
	assert_int_equal(lingering->count, 1);
	assert_int_equal(linger_deadline(lingering), START + 2 * MS + PATIENCE);
	for (int i = 0; i < 3; i++)
		close(pairs[i].client);
}

static void all_whose_patience_is_over_close_at_once(void **state)
{
	struct pair pair = pair_unix();

	(void)state;
	for (int i = 0; i < 3; i++)
		linger_start(lingering, dup(pair.server), PATIENCE, START + i * MS);
	linger_expire(lingering, START + 60 * 1000 * MS);
	assert_int_equal(lingering->count, 0);
	pair_close(&pair);
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static void to_cut_short_closes_the_oldest(void **state)
{
	struct pair pair = pair_unix();
	int first = dup(pair.server), second = dup(pair.server);

	(void)state;
	linger_start(lingering, first, PATIENCE, START);
	linger_start(lingering, second, PATIENCE, START);
	assert_true(linger_cut_short(lingering));
	assert_false(is_open(first));
	assert_true(is_open(second));
	assert_true(linger_cut_short(lingering));
	assert_false(is_open(second));
	assert_false(linger_cut_short(lingering));
	pair_close(&pair);
}

static void when_there_are_too_many_the_oldest_is_closed(void **state)
{
	struct pair pair = pair_unix();
	int at[LINGER_MAX + 3];

	(void)state;
	if (!can_open(2 * LINGER_MAX)) {
		pair_close(&pair);
		skip_because("too few descriptors may be opened");
	}
	for (int i = 0; i < LINGER_MAX + 3; i++) {
		/* The numbers ascend, so none is used twice. */
		at[i] = fcntl(pair.server, F_DUPFD, 100 + i);
		assert_true(at[i] >= 0);
		linger_start(lingering, at[i], PATIENCE, START + i);
	}
	assert_int_equal(lingering->count, LINGER_MAX);
	for (int i = 0; i < LINGER_MAX + 3; i++)
		assert_int_equal(is_open(at[i]), i >= 3);
	assert_int_equal(linger_deadline(lingering), START + 3 + PATIENCE);
	pair_close(&pair);
}

static void to_finish_closes_all(void **state)
{
	struct pair pair = pair_unix();
	int copies[3];

	(void)state;
	for (int i = 0; i < 3; i++) {
		copies[i] = dup(pair.server);
		linger_start(lingering, copies[i], PATIENCE, START);
	}
	linger_finish(lingering);
	for (int i = 0; i < 3; i++)
		assert_false(is_open(copies[i]));
	assert_int_equal(lingering->count, 0);
	assert_int_equal(fake.loop.watched, 0);
	pair_close(&pair);
}

static void after_a_finish_each_is_closed_at_once(void **state)
{
	struct pair pair = pair_unix();

	(void)state;
	linger_finish(lingering);
	start_at(&pair, START);
	assert_int_equal(lingering->count, 0);
	expect_end(pair.client);
	assert_int_equal(send(pair.client, "gone", 4, MSG_NOSIGNAL), -1);
	close(pair.client);
}

static void what_cannot_be_watched_has_its_time_all_the_same(void **state)
{
	struct pair pair = pair_unix();
	int epoll = fake.loop.fd;

	(void)state;
	fake.loop.fd = -1;
	start_at(&pair, START);
	fake.loop.fd = epoll;
	assert_int_equal(lingering->count, 1);
	assert_int_equal(linger_deadline(lingering), START + PATIENCE);
	linger_expire(lingering, START + PATIENCE);
	assert_int_equal(lingering->count, 0);
	expect_end(pair.client);
	close(pair.client);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		faked(a_client_sees_the_end_at_once_and_can_still_send),
		faked(it_closes_when_the_client_has_ended_its_sending),
		faked(what_a_client_has_sent_and_ended_is_not_waited_for),
		faked(a_client_that_is_gone_is_not_waited_for),
		faked(a_client_that_was_not_read_to_the_end_gets_its_whole_reply),
		faked(so_linger_of_a_program_has_no_effect),
		faked(it_closes_when_the_patience_is_over),
		faked(what_a_client_sends_does_not_buy_it_time),
		faked(a_client_that_sends_too_much_is_closed),
		faked(what_was_unread_at_the_start_counts_as_sent),
		faked(each_closes_at_its_own_time),
		faked(all_whose_patience_is_over_close_at_once),
		faked(to_cut_short_closes_the_oldest),
		faked(when_there_are_too_many_the_oldest_is_closed),
		faked(to_finish_closes_all),
		faked(after_a_finish_each_is_closed_at_once),
		faked(what_cannot_be_watched_has_its_time_all_the_same),
	};

	return cmocka_run_group_tests_name("linger", tests, NULL, NULL);
}
