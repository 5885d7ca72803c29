#include "engine/supervisor/ending.h"

#include <limits.h>
#include <signal.h>

#include "check.h"

#define EXITED(status) CLD_EXITED, status
#define KILLED(number) CLD_KILLED, number

static const struct {
	int code, status;
	enum reason cause;     /* why the supervisor ended it */
	bool sandboxed, noted; /* a failed step, in the row */
	enum reason reason;
} rows[] = {
	/* A worker reports the reason by its status, whatever the supervisor did. */
	{ EXITED(100), REASON_NONE, false, false, REASON_EOF },
	{ EXITED(101), REASON_NONE, false, false, REASON_DONE },
	{ EXITED(102), REASON_NONE, false, false, REASON_RESET },
	{ EXITED(103), REASON_NONE, true, false, REASON_IDLE },
	{ EXITED(104), REASON_NONE, false, false, REASON_DEADLINE },
	{ EXITED(105), REASON_NONE, false, false, REASON_FAILED },
	{ EXITED(100), REASON_STOPPED, false, false, REASON_EOF },
	/* A handler called exit(3). */
	{ EXITED(0), REASON_NONE, false, false, REASON_DONE },
	{ EXITED(0), REASON_DEADLINE, false, false, REASON_DONE },
	{ EXITED(1), REASON_NONE, false, false, REASON_CRASH_EXIT },
	{ EXITED(255), REASON_NONE, true, true, REASON_CRASH_EXIT },
	/* Privileges were refused only if the row says so. */
	{ EXITED(106), REASON_NONE, false, true, REASON_REFUSED_PRIVILEGES },
	{ EXITED(106), REASON_NONE, false, false, REASON_CRASH_EXIT },
	/* The sandbox can only have stopped a process that was in it. */
	{ EXITED(107), REASON_NONE, true, false, REASON_CRASH_SANDBOX },
	{ EXITED(107), REASON_NONE, false, false, REASON_CRASH_EXIT },
	{ KILLED(SIGSYS), REASON_NONE, true, false, REASON_CRASH_SANDBOX },
	{ KILLED(SIGSYS), REASON_NONE, false, false, REASON_CRASH_SIGNAL },
	/* A signal. */
	{ KILLED(SIGSEGV), REASON_NONE, true, false, REASON_CRASH_SIGNAL },
	{ CLD_DUMPED, SIGSEGV, REASON_NONE, false, false, REASON_CRASH_SIGNAL },
	{ KILLED(SIGPIPE), REASON_NONE, false, false, REASON_RESET },
	/* The number of a signal is not an exit status. */
	{ KILLED(100), REASON_NONE, false, false, REASON_CRASH_SIGNAL },
	/* A process that the supervisor ended gets the supervisor's cause. */
	{ KILLED(SIGTERM), REASON_DEADLINE, false, false, REASON_DEADLINE },
	{ KILLED(SIGKILL), REASON_STOPPED, true, false, REASON_STOPPED },
	{ KILLED(SIGPIPE), REASON_STOPPED, false, false, REASON_STOPPED },
	{ KILLED(SIGSYS), REASON_STOPPED, true, false, REASON_STOPPED },
	{ KILLED(SIGTERM), REASON_NONE, false, false, REASON_CRASH_SIGNAL },
};

static void the_reason_follows_from_the_end_and_what_the_row_tells(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		struct process process = { .end_cause = rows[i].cause };
		struct score_row row = { .failed_step = rows[i].noted };
		siginfo_t info = { .si_code = rows[i].code };

		info.si_status = rows[i].status;
		print_message("# row %zu\n", i);
		assert_int_equal(
			ending_of_worker(&process, &row, &info, rows[i].sandboxed),
			rows[i].reason);
	}
}

static void an_ending_tells_what_the_row_has_counted(void **state)
{
	struct score_row row = {
		.bytes_in = 7,
		.bytes_out = 9,
		.forbidden_call = 42 + 1,
	};
	struct ending ending;

	(void)state;
	ending_fill(&ending, REASON_EOF, 77, &row);
	assert_int_equal(ending.reason, REASON_EOF);
	assert_int_equal(ending.pid, 77);
	assert_int_equal(ending.bytes_in, 7);
	assert_int_equal(ending.bytes_out, 9);
	assert_int_equal(ending.forbidden_call, 42);
	assert_null(ending.info);
	row.forbidden_call = 0;
	ending_fill(&ending, REASON_EOF, 77, &row);
	assert_int_equal(ending.forbidden_call, -1);
}

/* A worker was broken into. */
static void any_numbers_in_the_row_can_be_counted(void **state)
{
	struct score_row row = {
		.bytes_in = UINT64_MAX,
		.bytes_out = (uint64_t)INT64_MAX + 1,
		.forbidden_call = INT_MIN,
	};
	struct ending ending;

	(void)state;
	ending_fill(&ending, REASON_EOF, 77, &row);
	assert_int_equal(ending.bytes_in, INT64_MAX);
	assert_int_equal(ending.bytes_out, INT64_MAX);
	assert_int_equal(ending.forbidden_call, INT_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(the_reason_follows_from_the_end_and_what_the_row_tells),
		promise(an_ending_tells_what_the_row_has_counted),
		promise(any_numbers_in_the_row_can_be_counted),
	};

	return cmocka_run_group_tests_name("ending", tests, NULL, NULL);
}
