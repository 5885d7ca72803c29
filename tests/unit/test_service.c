#include "service/service.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <arpa/inet.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "child.h"
#include "engine/worker/conn.h"
#include "pair.h"

#define FROM_1900_TO_1970 UINT32_C(2208988800)

/* A service that serves one client: the test. Its exit status is the reason. */
struct session {
	struct pair pair;
	const struct service *service;
	pid_t child;
};

static int serve(void *arg)
{
	struct session *session = arg;
	struct score_row row = { .bytes_in = 0 };
	struct prong_conn conn = {
		.fd = session->pair.server,
		.row = &row,
		.deadline_us = CLOCK_NEVER,
		.linger_us = clock_us_from_ms(10000),
		.linger_bytes = 1024 * 1024,
	};

	close(session->pair.client);
	return (int)conn_finish(&conn, session->service->handler(&conn, NULL));
}

static struct session begin(const char *name)
{
	struct session session = { .pair = pair_tcp(), .service = service_find(name) };

	assert_non_null(session.service);
	session.child = child_start(serve, &session);
	close(session.pair.server);
	session.pair.server = -1;
	return session;
}

static void end(struct session *session, enum reason reason)
{
	int status;

	pair_close(&session->pair);
	status = child_wait(session->child);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), reason);
}

static void each_service_is_found_by_its_name_alone(void **state)
{
	static const char *const unknown[] = { "", "Echo", "ech", "echo ", "chat" };

	(void)state;
	for (const struct service *row = services; row->name != NULL; row++) {
		assert_ptr_equal(service_find(row->name), row);
		assert_non_null(row->handler);
		assert_non_null(row->what);
		assert_int_equal(strncmp(row->rfc, "RFC ", 4), 0);
	}
	for (size_t i = 0; i < COUNT(unknown); i++)
		assert_null(service_find(unknown[i]));
}

/* RFC 862 */
static void echo_sends_back_what_it_receives(void **state)
{
	struct session session = begin("echo");
	char sent[1000], back[sizeof(sent)];

	(void)state;
	for (size_t i = 0; i < sizeof(sent); i++)
		sent[i] = (char)(i * 7);
	for (int round = 0; round < 50; round++) {
		size_t size = round % 2 ? sizeof(sent) : 1;

		assert_int_equal(write(session.pair.client, sent, size), size);
		pair_read(session.pair.client, back, size);
		assert_memory_equal(back, sent, size);
	}
	shutdown(session.pair.client, SHUT_WR);
	assert_int_equal(pair_drain(session.pair.client), 0);
	end(&session, REASON_EOF);
}

static void echo_ends_when_the_client_resets(void **state)
{
	struct session session = begin("echo");
	char byte;

	(void)state;
	assert_int_equal(write(session.pair.client, "x", 1), 1);
	pair_read(session.pair.client, &byte, 1);
	pair_reset(&session.pair);
	end(&session, REASON_RESET);
}

/* RFC 863 */
static void discard_takes_everything_and_says_nothing(void **state)
{
	static const char data[1000000];
	struct session session = begin("discard");

	(void)state;
	assert_int_equal(write(session.pair.client, data, sizeof(data)), sizeof(data));
	shutdown(session.pair.client, SHUT_WR);
	assert_int_equal(pair_drain(session.pair.client), 0);
	end(&session, REASON_EOF);
}

/* RFC 864: 72 of the 95 printing characters a line, rotating, without end. */
static void chargen_sends_the_rotating_pattern_until_the_client_goes(void **state)
{
	struct session session = begin("chargen");
	char line[74];

	(void)state;
	for (int i = 0; i < 500; i++) {
		pair_read(session.pair.client, line, sizeof(line));
		for (int k = 0; k < 72; k++)
			assert_int_equal(line[k], ' ' + (i + k) % 95);
		assert_memory_equal(line + 72, "\r\n", 2);
	}
	pair_reset(&session.pair);
	end(&session, REASON_RESET);
}

/* RFC 867 */
static void daytime_sends_one_line_with_this_year_and_ends(void **state)
{
	time_t before = time(NULL);
	struct session session = begin("daytime");
	char line[200] = "", year[8];
	size_t length = 0;
	ssize_t n;

	(void)state;
	while ((n = read(session.pair.client, line + length,
			 sizeof(line) - 1 - length)) > 0)
		length += (size_t)n;
	assert_int_equal(n, 0);
	strftime(year, sizeof(year), "%Y", localtime(&before));
	assert_non_null(strstr(line, year));
	assert_true(length > 10);
	assert_string_equal(strchr(line, '\r'), "\r\n");
	end(&session, REASON_DONE);
}

/* RFC 868 */
static void time_sends_the_seconds_since_1900_and_ends(void **state)
{
	uint32_t before = (uint32_t)time(NULL) + FROM_1900_TO_1970;
	struct session session = begin("time");
	uint32_t sent;

	(void)state;
	pair_read(session.pair.client, &sent, sizeof(sent));
	assert_in_range(ntohl(sent) - before, 0, 60);
	assert_int_equal(pair_drain(session.pair.client), 0);
	end(&session, REASON_DONE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(each_service_is_found_by_its_name_alone),
		promise(echo_sends_back_what_it_receives),
		promise(echo_ends_when_the_client_resets),
		promise(discard_takes_everything_and_says_nothing),
		promise(chargen_sends_the_rotating_pattern_until_the_client_goes),
		promise(daytime_sends_one_line_with_this_year_and_ends),
		promise(time_sends_the_seconds_since_1900_and_ends),
	};

	return cmocka_run_group_tests_name("service", tests, NULL, NULL);
}
