/* What the supervisor and a worker that serves several connections tell each other. */
#include "engine/supervisor/workers.h"

#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/pass.h"
#include "check.h"
#include "engine/record/completion.h"
#include "engine/record/handover.h"
#include "pair.h"
#include "parts.h"

#define NOW START_US

static struct workers workers;
static struct sandbox sandbox;

/* The worker's end of each channel; the test plays the worker. */
static int channels[64];
static unsigned channel_count;

static int open_workers(void **state)
{
	const struct model_parts own = {
		.processes = &parts.processes,
		.sessions = &parts.sessions,
		.report = &parts.report,
		.settings = &parts.settings,
		.sandbox = &sandbox,
	};

	parts_open(state);
	parts.settings.reuse = PRONG_REUSE_ALWAYS;
	channel_count = 0;
	parts.dispatch.serving = (struct serving){ &model_workers, &workers };
	return model_workers.open(&workers, &own, &(struct prong_options){ 0 }, NULL,
				  NULL);
}

static int close_workers(void **state)
{
	for (unsigned i = 0; i < channel_count; i++)
		close(channels[i]);
	return parts_close(state);
}

/* An idle worker; *channel, which the test may close, is its end of the channel. */
static struct process *idle_worker(int **channel)
{
	struct process *process = parts_process(PROCESS_IDLE, NOW);
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	process->channel = ends[0];
	assert_int_equal(workers_hear(&workers, process), 0);
	channels[channel_count] = ends[1];
	*channel = &channels[channel_count++];
	return process;
}

/* A client comes, and its connection goes to an idle worker. */
static int dispatch(int fd)
{
	struct client client = { .fd = fd, .accepted_at_us = NOW };

	int err;

	sessions_accepted(&parts.sessions, &client);
	err = dispatch_client(&parts.dispatch, &client, NOW);
	if (err < 0)
		close(fd); /* it is still ours */
	return err;
}

/* A worker that serves, and has taken what it was handed. */
static struct process *busy_worker(int **channel)
{
	struct process *process = idle_worker(channel);
	struct handover handover;
	int fd;

	assert_int_equal(dispatch(dup(STDERR_FILENO)), 0);
	assert_int_equal(process->state, PROCESS_BUSY);
	assert_int_equal(pass_receive(**channel, &handover, sizeof(handover), &fd), 1);
	assert_int_equal(handover.session, process->session.client.id);
	close(fd);
	return process;
}

static void answer(int channel, const void *bytes, size_t size)
{
	assert_int_equal(send(channel, bytes, size, 0), size);
	assert_int_equal(loop_wait(&parts.loop, 0), 0);
}

static void close_channel(int *channel)
{
	close(*channel);
	*channel = -1;
	assert_int_equal(loop_wait(&parts.loop, 0), 0);
}

static void was_killed(const struct process *process)
{
	assert_int_equal(process->state, PROCESS_KILLED);
	assert_int_equal(process->end_cause, REASON_CRASH_SIGNAL);
	assert_int_equal(process->channel, -1);
	assert_true(was_sent(parts.sent_count - 2, -process->pid, SIGKILL));
}

static void a_worker_is_handed_the_connection_and_its_number(void **state)
{
	struct pair pair = pair_tcp();
	struct handover handover;
	int *channel, fd;
	char byte;

	(void)state;
	idle_worker(&channel);
	dispatch(pair.server);
	assert_int_equal(pass_receive(*channel, &handover, sizeof(handover), &fd), 1);
	assert_int_equal(handover.session, 1);
	assert_int_equal(handover.accepted_at_us, NOW);
	assert_int_equal(write(fd, "x", 1), 1);
	pair_read(pair.client, &byte, 1);
	/* The supervisor has no copy of it any more. */
	close(fd);
	assert_int_equal(read(pair.client, &byte, 1), 0);
	close(pair.client);
}

static void the_right_answer_ends_the_session_and_the_worker_is_idle(void **state)
{
	struct completion completion = { .reason = REASON_EOF };
	int *channel;
	struct process *process = busy_worker(&channel);

	(void)state;
	for (uint64_t i = 1; i <= 3; i++) {
		completion.session = i;
		answer(*channel, &completion, sizeof(completion));
		assert_int_equal(process->state, PROCESS_IDLE);
		assert_int_equal(process->session.client.id, 0);
		assert_int_equal(parts.sessions.totals.closed[REASON_EOF], i);
		assert_int_equal(totals_active(&parts.sessions.totals), 0);
		dispatch(dup(STDERR_FILENO));
		assert_int_equal(process->session.client.id, i + 1);
	}
	assert_int_equal(parts.sent_count, 0);
}

/* The session is the one being served, but no worker gives this reason. */
static void a_reason_that_no_worker_gives_kills_it(void **state)
{
	static const uint64_t reasons[] = {
		REASON_NONE,          REASON_STOPPED,
		REASON_CRASH_SIGNAL,  REASON_CRASH_EXIT,
		REASON_CRASH_SANDBOX, REASON_EXEC_FAILED,
		REASON_REFUSED_FULL,  REASON_REFUSED_PRIVILEGES,
		REASON_COUNT,         UINT64_MAX,
	};

	(void)state;
	for (size_t i = 0; i < COUNT(reasons); i++) {
		int *channel;
		struct process *process = busy_worker(&channel);
		struct completion completion = {
			.session = process->session.client.id,
			.reason = reasons[i],
		};

		print_message("# reason %zu\n", (size_t)reasons[i]);
		answer(*channel, &completion, sizeof(completion));
		was_killed(process);
	}
	/* They are counted when they have been reaped. */
	assert_int_equal(totals_closed(&parts.sessions.totals), 0);
}

static void an_answer_about_another_session_kills_the_worker(void **state)
{
	struct completion completion = { .reason = REASON_EOF };
	struct process *process, *other;
	int *channel, *others;

	(void)state;
	other = busy_worker(&others);
	process = busy_worker(&channel);
	completion.session = other->session.client.id;
	answer(*channel, &completion, sizeof(completion));
	was_killed(process);
	assert_int_equal(other->state, PROCESS_BUSY);
	completion.session = 0;
	answer(*others, &completion, sizeof(completion));
	was_killed(other);
	assert_int_equal(totals_closed(&parts.sessions.totals), 0);
}

static void an_answer_of_another_size_kills_the_worker(void **state)
{
	static const size_t sizes[] = {
		1,
		sizeof(struct completion) - 1,
		sizeof(struct completion) + 1,
		2 * sizeof(struct completion),
	};

	(void)state;
	for (size_t i = 0; i < COUNT(sizes); i++) {
		int *channel;
		struct process *process = busy_worker(&channel);
		struct completion completions[] = {
			{ process->session.client.id, REASON_EOF },
			{ process->session.client.id, REASON_EOF },
		};

		answer(*channel, completions, sizes[i]);
		was_killed(process);
	}
	assert_int_equal(totals_closed(&parts.sessions.totals), 0);
}

static void an_answer_of_an_idle_worker_kills_it(void **state)
{
	struct completion completion = { .session = 0, .reason = REASON_EOF };
	int *channel;
	struct process *process = idle_worker(&channel);

	(void)state;
	answer(*channel, &completion, sizeof(completion));
	was_killed(process);
	process = busy_worker(&channel);
	completion.session = process->session.client.id;
	answer(*channel, &completion, sizeof(completion));
	assert_int_equal(process->state, PROCESS_IDLE);
	answer(*channel, &completion, sizeof(completion));
	was_killed(process);
	assert_int_equal(totals_closed(&parts.sessions.totals), 1);
}

static void an_idle_worker_that_closes_its_channel_gets_no_client(void **state)
{
	int *channel;
	struct process *process = idle_worker(&channel);
	siginfo_t info = { .si_code = CLD_EXITED };
	struct ending ending;

	(void)state;
	close_channel(channel);
	assert_int_equal(process->state, PROCESS_ENDING);
	assert_int_equal(process->channel, -1);
	assert_int_equal(parts.loop.watched, 0);
	assert_int_equal(parts.sent_count, 0);
	assert_int_equal(workers_ended(&workers, process, &info, NOW, &ending),
			 OUTCOME_SPARE_DIED);
}

/* As it does before its last connection. */
static void a_busy_worker_may_close_its_channel_and_serve_on(void **state)
{
	int *channel;
	struct process *process = busy_worker(&channel);
	siginfo_t info = { .si_code = CLD_EXITED };
	struct ending ending;

	(void)state;
	close_channel(channel);
	assert_int_equal(process->state, PROCESS_BUSY);
	assert_int_equal(process->channel, -1);
	info.si_status = reason_exit_status(REASON_IDLE);
	assert_int_equal(workers_ended(&workers, process, &info, NOW, &ending),
			 OUTCOME_SESSION);
	assert_int_equal(ending.reason, REASON_IDLE);
}

/* It was told to end, and finishes its session first. */
static void a_worker_that_was_told_to_end_is_not_idle_again(void **state)
{
	struct completion completion = { .session = 1, .reason = REASON_DEADLINE };
	int *channel;
	struct process *process = busy_worker(&channel);

	(void)state;
	process_terminate(&parts.processes, process, REASON_DEADLINE, NOW);
	answer(*channel, &completion, sizeof(completion));
	assert_int_equal(process->state, PROCESS_ENDING);
	assert_int_equal(parts.sessions.totals.closed[REASON_DEADLINE], 1);
	assert_int_equal(process->session.client.id, 0);
}

/* It may end after the client comes. */
static void a_client_of_a_worker_that_has_just_left_goes_to_another(void **state)
{
	int *channel, *others;
	struct process *other = idle_worker(&others);
	struct process *process = idle_worker(&channel);

	(void)state;
	close(*channel);
	*channel = -1;
	assert_int_equal(dispatch(dup(STDERR_FILENO)), 0);
	assert_int_equal(process->state, PROCESS_ENDING);
	assert_int_equal(other->state, PROCESS_BUSY);
	assert_int_equal(other->session.client.id, 1);
}

/* It has reported that it is free until its queue was full. */
static void a_worker_that_takes_nothing_is_killed(void **state)
{
	struct completion completion = { .reason = REASON_EOF };
	int *channel;
	struct process *process = idle_worker(&channel);
	uint64_t session;

	(void)state;
	parts.processes.max = 1;
	for (session = 1; dispatch(dup(STDERR_FILENO)) == 0; session++) {
		completion.session = session;
		answer(*channel, &completion, sizeof(completion));
		assert_true(session < 100000);
	}
	was_killed(process);
	assert_int_equal(parts.sessions.totals.closed[REASON_EOF], session - 1);
}

static void a_worker_for_one_connection_has_no_channel_afterwards(void **state)
{
	int *channel;
	struct process *process;

	(void)state;
	parts.settings.reuse = 1;
	process = busy_worker(&channel);
	assert_int_equal(process->channel, -1);
	assert_int_equal(parts.loop.watched, 0);
}

#define with_workers(function) \
	cmocka_unit_test_setup_teardown(function, open_workers, close_workers)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_workers(a_worker_is_handed_the_connection_and_its_number),
		with_workers(the_right_answer_ends_the_session_and_the_worker_is_idle),
		with_workers(a_reason_that_no_worker_gives_kills_it),
		with_workers(an_answer_about_another_session_kills_the_worker),
		with_workers(an_answer_of_another_size_kills_the_worker),
		with_workers(an_answer_of_an_idle_worker_kills_it),
		with_workers(an_idle_worker_that_closes_its_channel_gets_no_client),
		with_workers(a_busy_worker_may_close_its_channel_and_serve_on),
		with_workers(a_worker_that_was_told_to_end_is_not_idle_again),
		with_workers(a_client_of_a_worker_that_has_just_left_goes_to_another),
		with_workers(a_worker_that_takes_nothing_is_killed),
		with_workers(a_worker_for_one_connection_has_no_channel_afterwards),
	};

	return cmocka_run_group_tests_name("workers", tests, NULL, NULL);
}
