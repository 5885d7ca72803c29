#include "engine/supervisor/saturation.h"

#include <sys/socket.h>

#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "fake.h"

#define MS    INT64_C(1000)
#define START (1000 * 1000 * MS)
#define MOST  7

static struct saturation saturation;

static int open_saturation(void **state)
{
	saturation_open(&saturation);
	return fake_open(state);
}

static void note(bool full, int64_t after_us)
{
	saturation_note(&saturation, &fake.report, full, MOST, true, START + after_us);
}

static unsigned said(const char *part)
{
	return kept_count(&fake.log, part);
}

static void below_the_limit_nothing_is_said(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		note(false, i * 1000 * MS);
	assert_int_equal(fake.log.length, 0);
	assert_int_equal(saturation_deadline(&saturation), CLOCK_NEVER);
}

static void that_the_limit_is_reached_is_said_once_while_it_lasts(void **state)
{
	(void)state;
	for (int i = 0; i < 10; i++)
		note(true, i * 10000 * MS);
	assert_int_equal(
		said("level=warning event=limit-reached max_processes=7 clients=wait"),
		1);
	assert_int_equal(said("event="), 1);
	assert_int_equal(saturation_deadline(&saturation), CLOCK_NEVER);
}

static void what_clients_meet_is_said(void **state)
{
	(void)state;
	saturation_note(&saturation, &fake.report, true, MOST, false, START);
	assert_int_equal(said("clients=refused"), 1);
}

static void it_is_over_after_a_second_below_the_limit(void **state)
{
	(void)state;
	note(true, 0);
	note(false, 2500 * MS);
	assert_int_equal(saturation_deadline(&saturation), START + 3500 * MS);
	note(false, 3500 * MS - 1);
	assert_int_equal(said("event=limit-cleared"), 0);
	note(false, 3500 * MS);
	assert_int_equal(said("event=limit-cleared duration_ms=2500 times=1"), 1);
	assert_int_equal(saturation_deadline(&saturation), CLOCK_NEVER);
	note(false, 9000 * MS);
	assert_int_equal(said("event="), 2);
}

/* Under load a server reaches and leaves its limit with every connection. */
static void coming_and_going_makes_two_lines_and_is_counted(void **state)
{
	(void)state;
	for (int i = 0; i < 1000; i++) {
		note(true, 2 * i * MS);
		note(false, (2 * i + 1) * MS);
	}
	assert_int_equal(said("event="), 1);
	note(false, (1999 + 1000) * MS);
	assert_int_equal(said("event=limit-cleared duration_ms=1999 times=1000"), 1);
	assert_int_equal(said("event="), 2);
}

static void while_it_is_full_again_it_is_not_over(void **state)
{
	(void)state;
	note(true, 0);
	note(false, 100 * MS);
	note(true, 1000 * MS);
	assert_int_equal(saturation_deadline(&saturation), CLOCK_NEVER);
	note(true, 5000 * MS);
	assert_int_equal(said("event=limit-cleared"), 0);
}

static void the_next_time_is_told_anew(void **state)
{
	(void)state;
	note(true, 0);
	note(false, 100 * MS);
	note(false, 1100 * MS);
	kept_forget(&fake.log);
	note(true, 5000 * MS);
	assert_int_equal(said("event=limit-reached"), 1);
	note(false, 5300 * MS);
	note(false, 6300 * MS);
	assert_int_equal(said("event=limit-cleared duration_ms=300 times=1"), 1);
}

/* The supervisor may have been stopped when the line was due. */
static void that_it_is_said_late_does_not_make_it_longer(void **state)
{
	(void)state;
	note(true, 0);
	note(false, 2500 * MS);
	note(false, 60000 * MS);
	assert_int_equal(said("duration_ms=2500 times=1"), 1);
}

/* admission_drain() forgets it. */
static void what_is_forgotten_is_not_said(void **state)
{
	(void)state;
	note(true, 0);
	note(false, 100 * MS);
	saturation_forget(&saturation);
	assert_int_equal(saturation_deadline(&saturation), CLOCK_NEVER);
	note(false, 5000 * MS);
	assert_int_equal(said("event=limit-cleared"), 0);
}

static void the_service_manager_is_told_too(void **state)
{
	char text[256] = "";
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM, 0, ends), 0);
	fake.report.notify.fd = ends[0];
	strcpy(fake.report.notify.serving, "Serving");
	note(true, 0);
	assert_true(recv(ends[1], text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(text,
			    "STATUS=All 7 processes are serving: new clients wait");
	note(false, 100 * MS);
	assert_int_equal(recv(ends[1], text, sizeof(text) - 1, MSG_DONTWAIT), -1);
	note(false, 1100 * MS);
	memset(text, 0, sizeof(text));
	assert_true(recv(ends[1], text, sizeof(text) - 1, MSG_DONTWAIT) > 0);
	assert_string_equal(text, "READY=1\nSTATUS=Serving");
	close(ends[0]);
	close(ends[1]);
}

#define with_saturation(function) \
	cmocka_unit_test_setup_teardown(function, open_saturation, fake_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_saturation(below_the_limit_nothing_is_said),
		with_saturation(that_the_limit_is_reached_is_said_once_while_it_lasts),
		with_saturation(what_clients_meet_is_said),
		with_saturation(it_is_over_after_a_second_below_the_limit),
		with_saturation(coming_and_going_makes_two_lines_and_is_counted),
		with_saturation(while_it_is_full_again_it_is_not_over),
		with_saturation(the_next_time_is_told_anew),
		with_saturation(that_it_is_said_late_does_not_make_it_longer),
		with_saturation(what_is_forgotten_is_not_said),
		with_saturation(the_service_manager_is_told_too),
	};

	return cmocka_run_group_tests_name("saturation", tests, NULL, NULL);
}
