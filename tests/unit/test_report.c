#include "engine/supervisor/report.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "check.h"
#include "engine/confine/privileges.h"
#include "engine/supervisor/ending.h"
#include "parts.h"
#include "peer.h"

#define NOW       START_US
#define TENTH_US  (SECOND_US / 10)
#define REPORT    (&parts.report)
#define SEVERAL   5
#define CLIENT_ID 7

static struct client client;
static const siginfo_t exited = { .si_code = CLD_EXITED };

static int open_report(void **state)
{
	parts_open(state);
	client = (struct client){ .fd = -1, .id = CLIENT_ID, .accepted_at_us = NOW };
	client.peer = peer_at("192.0.2.1");
	return 0;
}

static void say_signal_ignored(int64_t now_us)
{
	report_signal_ignored(REPORT, now_us);
}

static void say_accept_failed(int64_t now_us)
{
	report_accept_failed(REPORT, ENFILE, now_us);
}

static void say_fork_failed(int64_t now_us)
{
	report_fork_failed(REPORT, EAGAIN, 3, now_us);
}

static void say_exec_failed(int64_t now_us)
{
	report_exec_failed(REPORT, &client, "/bin/service", ENOENT, now_us);
}

static void say_privileges_failed(int64_t now_us)
{
	report_privileges_failed(REPORT, &client, PRIVILEGES_CHROOT, EPERM, now_us);
}

static void say_spare_died(int64_t now_us)
{
	report_spare_died(REPORT, &exited, now_us);
}

static void say_refused_full(int64_t now_us)
{
	report_refused(REPORT, &client, REASON_REFUSED_FULL, now_us);
}

static void say_refused_denied(int64_t now_us)
{
	report_refused(REPORT, &client, REASON_REFUSED_DENIED, now_us);
}

static void say_crash(int64_t now_us)
{
	struct ending ending = { .reason = REASON_CRASH_SIGNAL, .forbidden_call = -1 };

	report_close(REPORT, &client, &ending, now_us);
}

static void say_failure(int64_t now_us)
{
	struct ending ending = { .reason = REASON_FAILED, .forbidden_call = -1 };

	report_close(REPORT, &client, &ending, now_us);
}

static const struct {
	void (*say)(int64_t now_us);
	const char *line;
	int64_t interval_us;
	bool debug; /* whether it is a line of a verbose log only */
} throttled[] = {
	{ say_signal_ignored, "level=info event=signal-ignored", SECOND_US, false },
	{ say_accept_failed, "level=error event=accept-failed", SECOND_US, false },
	{ say_fork_failed, "level=error event=fork-failed", SECOND_US, false },
	{ say_exec_failed, "level=error event=exec-failed", SECOND_US, false },
	{ say_privileges_failed, "level=error event=privileges-failed", SECOND_US,
	  false },
	{ say_spare_died, "level=warning event=spare-died", SECOND_US, false },
	{ say_refused_full, "level=warning event=refused", SECOND_US, true },
	{ say_refused_denied, "level=warning event=refused", SECOND_US, true },
	{ say_crash, "level=warning event=close", TENTH_US, true },
	{ say_failure, "level=warning event=close", TENTH_US, true },
};

static void a_line_that_comes_often_says_how_many_were_suppressed(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(throttled); i++) {
		int64_t now_us = NOW, interval_us = throttled[i].interval_us;

		parts.line_count = 0;
		throttled[i].say(now_us);
		assert_int_equal(parts.line_count, 1);
		last_line_has(throttled[i].line, NULL);
		assert_int_equal(lines_with("suppressed"), 0);
		for (int k = 1; k <= SEVERAL; k++)
			throttled[i].say(now_us + interval_us - 1);
		assert_int_equal(parts.line_count, 1);
		now_us += interval_us;
		throttled[i].say(now_us);
		assert_int_equal(parts.line_count, 2);
		last_line_has(throttled[i].line, "suppressed=5", NULL);
		/* From then on suppressed lines are counted anew. */
		throttled[i].say(now_us + interval_us - 1);
		throttled[i].say(now_us + interval_us);
		last_line_has("suppressed=1", NULL);
		throttled[i].say(now_us + 2 * interval_us);
		assert_int_equal(parts.line_count, 4);
		assert_int_equal(lines_with("suppressed"), 2);
	}
}

static void a_line_of_one_kind_suppresses_no_other(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(throttled); i++)
		throttled[i].say(NOW);
	assert_int_equal(parts.line_count, COUNT(throttled));
}

static void a_verbose_log_has_every_client(void **state)
{
	(void)state;
	REPORT->log.most = LOG_DEBUG;
	for (size_t i = 0; i < COUNT(throttled); i++) {
		parts.line_count = 0;
		for (int k = 0; k < SEVERAL; k++)
			throttled[i].say(NOW);
		assert_int_equal(parts.line_count, throttled[i].debug ? SEVERAL : 1);
	}
}

/* A worker may have written any numbers into the row. */
static void what_a_process_could_not_begin_with_is_told_if_it_is_known(void **state)
{
	(void)state;
	report_exec_failed(REPORT, &client, "/bin/service", ENOENT, NOW);
	last_line_has("event=exec-failed conn=7 peer=192.0.2.1:7 program=/bin/service "
		      "error=ENOENT why=\"No such file or directory\"",
		      NULL);
	report_privileges_failed(REPORT, &client, PRIVILEGES_SETRESUID, EPERM, NOW);
	last_line_has("event=privileges-failed conn=7 peer=192.0.2.1:7 call=setresuid "
		      "error=EPERM",
		      NULL);
	/* A worker that was broken into may have written any number. */
	report_privileges_failed(REPORT, &client, PRIVILEGES_SETRESUID, 123456,
				 NOW + SECOND_US);
	last_line_has("call=setresuid", NULL);
}

static void a_step_that_does_not_exist_is_told_without_harm(void **state)
{
	static const int steps[] = { -1, PRIVILEGES_STEPS, INT32_MAX, INT32_MIN };

	(void)state;
	for (size_t i = 0; i < COUNT(steps); i++) {
		report_privileges_failed(REPORT, NULL, steps[i], EPERM,
					 NOW + (int64_t)i * SECOND_US);
		last_line_has("event=privileges-failed", "call=", NULL);
	}
}

static void an_end_is_told_with_the_exit_status_or_the_signal(void **state)
{
	struct ending ending = { .reason = REASON_CRASH_EXIT, .forbidden_call = -1 };
	siginfo_t info = { .si_code = CLD_EXITED };

	(void)state;
	REPORT->log.most = LOG_DEBUG;
	ending.info = &info;
	info.si_status = 1;
	report_close(REPORT, &client, &ending, NOW + 1500);
	last_line_has("conn=7 peer=192.0.2.1:7 pid=0 reason=crash-exit status=1",
		      "duration_ms=1", NULL);
	info.si_code = CLD_KILLED;
	info.si_status = SIGSEGV;
	ending.reason = REASON_CRASH_SIGNAL;
	report_close(REPORT, &client, &ending, NOW);
	last_line_has("reason=crash-signal signal=SEGV", NULL);
	info.si_status = SIGRTMIN + 1; /* which has no name */
	report_close(REPORT, &client, &ending, NOW);
	last_line_has("reason=crash-signal signal=35", NULL);
	ending.reason = REASON_CRASH_SANDBOX;
	ending.info = NULL;
	ending.forbidden_call = 59;
	report_close(REPORT, &client, &ending, NOW);
	last_line_has("reason=crash-sandbox call=59", NULL);
	assert_int_equal(lines_with("call="), 1);
}

static void ends_and_beginnings_are_lines_of_a_verbose_log_alone(void **state)
{
	struct ending ending = { .reason = REASON_EOF, .forbidden_call = -1 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		report_connect(REPORT, &client);
		report_serve(REPORT, &client, FIRST_PID, 0);
		report_close(REPORT, &client, &ending, NOW);
		report_reap(REPORT, &exited);
		assert_int_equal(parts.line_count, 4 * i);
		REPORT->log.most = LOG_DEBUG;
	}
}

static void a_user_of_its_own_is_told_where_the_process_is(void **state)
{
	struct ending ending = { .reason = REASON_DONE,
				 .pid = FIRST_PID,
				 .uid = 4294967294,
				 .forbidden_call = -1 };

	(void)state;
	REPORT->log.most = LOG_DEBUG;
	report_serve(REPORT, &client, FIRST_PID, 2100000000);
	last_line_has("uid=2100000000", NULL);
	report_close(REPORT, &client, &ending, NOW);
	last_line_has("uid=4294967294 reason=done", NULL);
	ending.uid = 0;
	report_serve(REPORT, &client, FIRST_PID, 0);
	report_close(REPORT, &client, &ending, NOW);
	assert_int_equal(lines_with("uid="), 2);
}

static void totals_tell_each_reason_that_there_was(void **state)
{
	struct totals totals = {
		.accepted = 10,
		.closed[REASON_EOF] = 4,
		.closed[REASON_REFUSED_RATE] = 3,
		.bytes_in = 5,
		.bytes_out = 6,
	};

	(void)state;
	report_totals(REPORT, &totals, 9, 2);
	last_line_has("event=totals accepted=10 active=3 closed=7 eof=4 refused-rate=3 "
		      "bytes_in=5 bytes_out=6 processes=9 sources=2",
		      NULL);
	report_end(REPORT, &totals, 9, -1);
	last_line_has("event=stop accepted=10", NULL);
	assert_int_equal(lines_with("sources"), 1);
}

static void a_manager_that_was_not_reached_is_a_line(void **state)
{
	(void)state;
	report_ready(REPORT);
	assert_int_equal(parts.line_count, 0);
	REPORT->notify.error = ENOENT;
	report_ready(REPORT);
	last_line_has("level=warning event=notify-failed error=ENOENT", NULL);
}

static void a_quiet_log_has_failures_of_the_server_alone(void **state)
{
	(void)state;
	REPORT->log.most = LOG_ERROR;
	for (size_t i = 0; i < COUNT(throttled); i++)
		throttled[i].say(NOW);
	assert_int_equal(parts.line_count, 4);
	assert_int_equal(lines_with("level=error"), 4);
}

#define with_report(function) \
	cmocka_unit_test_setup_teardown(function, open_report, parts_close)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_report(a_line_that_comes_often_says_how_many_were_suppressed),
		with_report(a_line_of_one_kind_suppresses_no_other),
		with_report(a_verbose_log_has_every_client),
		with_report(what_a_process_could_not_begin_with_is_told_if_it_is_known),
		with_report(a_step_that_does_not_exist_is_told_without_harm),
		with_report(an_end_is_told_with_the_exit_status_or_the_signal),
		with_report(ends_and_beginnings_are_lines_of_a_verbose_log_alone),
		with_report(a_user_of_its_own_is_told_where_the_process_is),
		with_report(totals_tell_each_reason_that_there_was),
		with_report(a_manager_that_was_not_reached_is_a_line),
		with_report(a_quiet_log_has_failures_of_the_server_alone),
	};

	return cmocka_run_group_tests_name("report", tests, NULL, NULL);
}
