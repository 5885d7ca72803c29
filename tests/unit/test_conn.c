#include "engine/worker/conn.h"

#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "child.h"
#include "pair.h"

#define MS     INT64_C(1000)
#define SECOND INT64_C(1000000)
#define SOON   (10 * SECOND) /* for what is immediate, on a busy machine */

static struct score_row row;

static struct prong_conn conn_on(struct pair *pair)
{
	struct prong_conn conn = {
		.fd = pair->server,
		.id = 7,
		.row = &row,
		.deadline_us = CLOCK_NEVER,
		.linger_us = 2 * SECOND,
		.linger_bytes = 1024 * 1024,
	};

	score_begin(&row);
	pair->server = -1; /* conn_finish() closes it */
	return conn;
}

static void what_comes_and_goes_is_counted(void **state)
{
	struct pair pair = pair_unix();
	struct prong_conn conn = conn_on(&pair);
	char buffer[100];

	(void)state;
	assert_int_equal(write(pair.client, "hello", 5), 5);
	assert_int_equal(prong_recv(&conn, buffer, 3), 3);
	assert_memory_equal(buffer, "hel", 3);
	assert_int_equal(prong_recv(&conn, buffer, sizeof(buffer)), 2);
	assert_memory_equal(buffer, "lo", 2);
	assert_int_equal(prong_send(&conn, "greetings", 9), 0);
	assert_int_equal(prong_send(&conn, "", 0), 0);
	pair_read(pair.client, buffer, 9);
	assert_memory_equal(buffer, "greetings", 9);
	prong_conn_fd(&conn); /* a UNIX socket has no counts of its own */
	pair_close(&pair);
	conn_finish(&conn, 0);
	assert_int_equal(score_read(&row.bytes_in), 5);
	assert_int_equal(score_read(&row.bytes_out), 9);
}

static void an_end_that_was_seen_is_not_forgotten(void **state)
{
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	char byte;

	(void)state;
	shutdown(pair.client, SHUT_WR);
	assert_int_equal(prong_recv(&conn, &byte, 1), 0);
	assert_int_equal(prong_recv(&conn, &byte, 1), 0);
	assert_int_equal(prong_recv(&conn, &byte, 0), 0);
	assert_int_equal(prong_send(&conn, "late", 4), 0);
	assert_int_equal(conn_finish(&conn, 0), REASON_EOF);
	assert_int_equal(pair_drain(pair.client), 4);
	pair_close(&pair);
}

static void a_silent_client_ends_by_the_idle_timeout(void **state)
{
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	int64_t begin = clock_now_us();
	char byte;

	(void)state;
	conn.idle_timeout_us = 100 * MS;
	assert_int_equal(prong_recv(&conn, &byte, 1), -ETIMEDOUT);
	assert_in_range(clock_now_us() - begin, 100 * MS, SOON);
	assert_int_equal(conn_finish(&conn, -ETIMEDOUT), REASON_IDLE);
	pair_close(&pair);
}

static int send_until_it_fails(struct prong_conn *conn)
{
	static const char data[65536];
	int err;

	do {
		err = prong_send(conn, data, sizeof(data));
	} while (err == 0);
	return err;
}

static void a_client_who_does_not_read_ends_by_the_idle_timeout(void **state)
{
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	int64_t begin = clock_now_us();

	(void)state;
	conn.idle_timeout_us = 100 * MS;
	assert_int_equal(send_until_it_fails(&conn), -ETIMEDOUT);
	assert_in_range(clock_now_us() - begin, 100 * MS, SOON);
	assert_int_equal(conn_finish(&conn, -ETIMEDOUT), REASON_IDLE);
	pair_close(&pair);
}

static int trickle(void *arg)
{
	const struct pair *pair = arg;

	for (int i = 0; i < 5; i++) {
		poll(NULL, 0, 300);
		if (write(pair->client, "x", 1) != 1)
			return 1;
	}
	return 0;
}

static void each_byte_starts_the_idle_timeout_afresh(void **state)
{
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	pid_t child = child_start(trickle, &pair);
	char byte;

	(void)state;
	conn.idle_timeout_us = 1200 * MS; /* the five together take longer */
	pair_close(&pair);
	for (int i = 0; i < 5; i++)
		assert_int_equal(prong_recv(&conn, &byte, 1), 1);
	assert_int_equal(prong_recv(&conn, &byte, 1), 0);
	assert_int_equal(conn_finish(&conn, 0), REASON_EOF);
	assert_int_equal(child_wait(child), 0);
}

static void the_session_ends_at_its_deadline(void **state)
{
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	int64_t begin = clock_now_us();
	char byte;

	(void)state;
	conn.deadline_us = begin + 100 * MS;
	conn.idle_timeout_us = 60 * SECOND;
	assert_int_equal(prong_recv(&conn, &byte, 1), -ETIMEDOUT);
	assert_in_range(clock_now_us() - begin, 100 * MS, SOON);
	assert_int_equal(conn_finish(&conn, 0), REASON_DEADLINE);
	pair_close(&pair);
}

static void a_busy_session_ends_at_its_deadline_too(void **state)
{
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	char byte;

	(void)state;
	assert_int_equal(write(pair.client, "waiting", 7), 7);
	conn.deadline_us = clock_now_us() - 1;
	assert_int_equal(prong_recv(&conn, &byte, 1), -ETIMEDOUT);
	assert_int_equal(prong_send(&conn, "x", 1), -ETIMEDOUT);
	assert_int_equal(conn_finish(&conn, -ETIMEDOUT), REASON_DEADLINE);
	pair_close(&pair);
}

static int read_on(void *arg)
{
	const struct pair *pair = arg;

	close(pair->server);
	pair_drain(pair->client);
	return 0;
}

/* One call, with more bytes than can be sent in time, to a client that reads them. */
static void a_long_send_ends_at_the_deadline(void **state)
{
	const size_t size = (size_t)16 << 30;
	void *zeros = mmap(NULL, size, PROT_READ,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	struct pair pair = pair_tcp();
	pid_t child = child_start(read_on, &pair);
	struct prong_conn conn = conn_on(&pair);
	int64_t begin = clock_now_us();

	(void)state;
	assert_true(zeros != MAP_FAILED);
	pair_close(&pair);
	conn.deadline_us = begin + 200 * MS;
	assert_int_equal(prong_send(&conn, zeros, size), -ETIMEDOUT);
	assert_in_range(clock_now_us() - begin, 200 * MS, SOON);
	assert_int_equal(conn_finish(&conn, -ETIMEDOUT), REASON_DEADLINE);
	assert_int_equal(child_wait(child), 0);
	munmap(zeros, size);
}

static void a_client_who_reset_is_told_by_recv(void **state)
{
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	char byte;

	(void)state;
	pair_reset(&pair);
	assert_int_equal(prong_recv(&conn, &byte, 1), -ECONNRESET);
	assert_int_equal(conn_finish(&conn, 0), REASON_RESET);
}

/* SIGPIPE has its default disposition here, so it would end the test. */
static void a_client_who_left_is_told_by_send_without_sigpipe(void **state)
{
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	int err;

	(void)state;
	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
	pair_reset(&pair);
	err = send_until_it_fails(&conn);
	assert_true(err == -EPIPE || err == -ECONNRESET);
	assert_int_equal(send_until_it_fails(&conn), -EPIPE);
	assert_int_equal(conn_finish(&conn, err), REASON_RESET);
}

static volatile sig_atomic_t interruptions;

static void interrupt(int number)
{
	(void)number;
	interruptions++;
}

static int speak_late(void *arg)
{
	const struct pair *pair = arg;

	poll(NULL, 0, 100);
	return write(pair->client, "x", 1) != 1;
}

static void interrupted_calls_go_on(void **state)
{
	struct sigaction action = { .sa_handler = interrupt };
	struct itimerval often = { .it_interval.tv_usec = 5000,
				   .it_value.tv_usec = 5000 };
	struct itimerval never = { .it_interval.tv_usec = 0 };
	struct sigaction before;
	char byte;

	(void)state;
	sigaction(SIGALRM, &action, &before);
	for (int timed = 0; timed < 2; timed++) {
		struct pair pair = pair_tcp();
		struct prong_conn conn = conn_on(&pair);
		pid_t child = child_start(speak_late, &pair);

		conn.idle_timeout_us = timed ? 60 * SECOND : 0;
		pair_close(&pair);
		setitimer(ITIMER_REAL, &often, NULL);
		assert_int_equal(prong_recv(&conn, &byte, 1), 1);
		setitimer(ITIMER_REAL, &never, NULL);
		conn_finish(&conn, 0);
		assert_int_equal(child_wait(child), 0);
	}
	sigaction(SIGALRM, &before, NULL);
	assert_true(interruptions > 0);
}

static void what_is_known_outweighs_what_the_handler_says(void **state)
{
	static const struct {
		bool ended, lost;
		enum reason cut;
		int result;
		enum reason reason;
	} rows[] = {
		{ false, false, REASON_NONE, 0, REASON_DONE },
		{ true, false, REASON_NONE, 0, REASON_EOF },
		{ false, false, REASON_NONE, 1, REASON_FAILED },
		{ true, false, REASON_NONE, -1, REASON_FAILED },
		{ false, false, REASON_NONE, -ETIMEDOUT, REASON_FAILED },
		{ false, false, REASON_NONE, -EPIPE, REASON_RESET },
		{ false, false, REASON_NONE, -ECONNRESET, REASON_RESET },
		{ false, true, REASON_NONE, 0, REASON_RESET },
		{ true, true, REASON_NONE, 0, REASON_RESET },
		{ false, false, REASON_IDLE, 0, REASON_IDLE },
		{ true, false, REASON_IDLE, -EPIPE, REASON_IDLE },
		{ false, true, REASON_DEADLINE, 5, REASON_DEADLINE },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct pair pair = pair_unix();
		struct prong_conn conn = conn_on(&pair);

		print_message("# row %zu\n", i);
		pair_close(&pair);
		conn.ended = rows[i].ended;
		conn.lost = rows[i].lost;
		conn.timed_out = rows[i].cut;
		assert_int_equal(conn_finish(&conn, rows[i].result), rows[i].reason);
		assert_int_equal(conn.fd, -1);
	}
}

#define REPLY_SIZE 400000

static int reply_without_reading(void *arg)
{
	static const char reply[REPLY_SIZE];
	struct pair *pair = arg;
	struct prong_conn conn = conn_on(pair);
	int err;

	pair_close(pair);
	conn.linger_us = 30 * SECOND;
	err = prong_send(&conn, reply, sizeof(reply));
	return (int)conn_finish(&conn, err);
}

/* close(2) with unread input sends RST, and the client would lose the reply. */
static void a_reply_arrives_whole_although_input_was_unread(void **state)
{
	static char request[100000];
	struct pair pair = pair_tcp();
	pid_t child;

	(void)state;
	assert_int_equal(write(pair.client, request, sizeof(request)), sizeof(request));
	child = child_start(reply_without_reading, &pair);
	close(pair.server);
	pair.server = -1;
	poll(NULL, 0, 50); /* a slow reader: the server finished long ago */
	assert_int_equal(pair_drain(pair.client), REPLY_SIZE);
	pair_close(&pair);
	assert_int_equal(WEXITSTATUS(child_wait(child)), REASON_DONE);
}

static void a_client_who_stays_is_left_after_the_lingering_time(void **state)
{
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	int64_t begin = clock_now_us();

	(void)state;
	conn.linger_us = 100 * MS;
	assert_int_equal(conn_finish(&conn, 0), REASON_DONE);
	assert_in_range(clock_now_us() - begin, 100 * MS, SOON);
	assert_int_equal(pair_drain(pair.client), 0);
	pair_close(&pair);
}

static int flood(void *arg)
{
	static const char data[65536];
	const struct pair *pair = arg;

	close(pair->server);
	signal(SIGPIPE, SIG_IGN);
	while (write(pair->client, data, sizeof(data)) > 0)
		;
	return 0;
}

static void a_client_who_sends_on_is_left_after_a_megabyte_or_so(void **state)
{
	struct pair pair = pair_tcp();
	pid_t child = child_start(flood, &pair);
	struct prong_conn conn = conn_on(&pair);
	int64_t begin = clock_now_us();

	(void)state;
	pair_close(&pair);
	conn.linger_us = 60 * SECOND;
	assert_int_equal(conn_finish(&conn, 0), REASON_DONE);
	assert_in_range(clock_now_us() - begin, 0, SOON);
	assert_int_equal(child_wait(child), 0);
}

static void nobody_lingers_for_a_client_who_has_ended_or_gone(void **state)
{
	int64_t begin = clock_now_us();
	char byte;

	(void)state;
	for (int gone = 0; gone < 2; gone++) {
		struct pair pair = pair_tcp();
		struct prong_conn conn = conn_on(&pair);

		conn.linger_us = 60 * SECOND;
		if (gone)
			pair_reset(&pair);
		else
			shutdown(pair.client, SHUT_WR);
		assert_int_equal(prong_recv(&conn, &byte, 1), gone ? -ECONNRESET : 0);
		conn_finish(&conn, 0);
		pair_close(&pair);
	}
	assert_in_range(clock_now_us() - begin, 0, SOON);
}

static void bytes_moved_on_the_descriptor_itself_are_counted(void **state)
{
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	int fd = prong_conn_fd(&conn);
	char buffer[9];

	(void)state;
	assert_int_equal(write(pair.client, "hello", 5), 5);
	pair_read(fd, buffer, 5);
	assert_int_equal(write(fd, "greetings", 9), 9);
	pair_read(pair.client, buffer, 9);
	pair_close(&pair);
	assert_int_equal(conn_finish(&conn, 0), REASON_DONE);
	assert_int_equal(score_read(&row.bytes_in), 5);
	assert_int_equal(score_read(&row.bytes_out), 9);
}

/* What the kernel has taken counts, even if the client has not received it yet. */
static void asking_for_the_descriptor_takes_nothing_from_the_counts(void **state)
{
	static const char data[65536];
	struct pair pair = pair_tcp();
	struct prong_conn conn = conn_on(&pair);
	uint64_t sent;

	(void)state;
	conn.idle_timeout_us = 50 * MS;
	send_until_it_fails(&conn);
	sent = score_read(&row.bytes_out);
	assert_true(sent > sizeof(data));
	prong_conn_fd(&conn);
	conn_finish(&conn, 0);
	assert_int_equal(score_read(&row.bytes_out), sent);
	pair_close(&pair);
}

static void a_handler_learns_who_and_which_it_serves(void **state)
{
	struct pair pair = pair_unix();
	struct prong_conn conn = conn_on(&pair);
	socklen_t length = 0;

	(void)state;
	conn.peer.length = sizeof(struct sockaddr_in);
	conn.peer.any.in.sin_family = AF_INET;
	assert_int_equal(prong_conn_id(&conn), 7);
	assert_int_equal(prong_conn_fd(&conn), conn.fd);
	assert_int_equal(prong_conn_peer(&conn, &length)->sa_family, AF_INET);
	assert_int_equal(length, sizeof(struct sockaddr_in));
	assert_ptr_equal(prong_conn_peer(&conn, NULL), &conn.peer.any.sa);
	pair_close(&pair);
	conn_finish(&conn, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(what_comes_and_goes_is_counted),
		promise(an_end_that_was_seen_is_not_forgotten),
		promise(a_silent_client_ends_by_the_idle_timeout),
		promise(a_client_who_does_not_read_ends_by_the_idle_timeout),
		promise(each_byte_starts_the_idle_timeout_afresh),
		promise(the_session_ends_at_its_deadline),
		promise(a_busy_session_ends_at_its_deadline_too),
		promise(a_long_send_ends_at_the_deadline),
		promise(a_client_who_reset_is_told_by_recv),
		promise(a_client_who_left_is_told_by_send_without_sigpipe),
		promise(interrupted_calls_go_on),
		promise(what_is_known_outweighs_what_the_handler_says),
		promise(a_reply_arrives_whole_although_input_was_unread),
		promise(a_client_who_stays_is_left_after_the_lingering_time),
		promise(a_client_who_sends_on_is_left_after_a_megabyte_or_so),
		promise(nobody_lingers_for_a_client_who_has_ended_or_gone),
		promise(bytes_moved_on_the_descriptor_itself_are_counted),
		promise(asking_for_the_descriptor_takes_nothing_from_the_counts),
		promise(a_handler_learns_who_and_which_it_serves),
	};

	return cmocka_run_group_tests_name("conn", tests, NULL, NULL);
}
