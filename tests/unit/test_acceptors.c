#include "engine/supervisor/acceptors.h"

#include <sys/socket.h>

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/listener.h"
#include "check.h"
#include "engine/supervisor/tally.h"
#include "fake.h"

#define SPARE   4
#define CLIENTS 8

static struct acceptors acceptors;
static struct listener listener;
static struct sandbox sandbox;
static int clients[CLIENTS];
static unsigned client_count;
static int64_t now;

static const struct model *const model = &model_acceptors;

/* Opens the model as the supervisor does, on a listener that no worker uses. */
static void run_on(const char *text)
{
	const struct model_parts parts = {
		.processes = &fake.processes,
		.sessions = &fake.sessions,
		.report = &fake.report,
		.settings = &fake.settings,
		.sandbox = &sandbox,
	};
	const struct prong_options options = { .sandbox = PRONG_SANDBOX_OFF };
	struct address_list list = { 0 };
	struct why why;

	fake.settings.spare = SPARE;
	acceptors = (struct acceptors){ 0 };
	sandbox = (struct sandbox){ 0 };
	client_count = 0;
	now = clock_now_us(); /* the loop reads the clock itself */
	assert_int_equal(model->open(&acceptors, &parts, &options, NULL, &why), 0);
	assert_int_equal(address_lookup(&list, text, &why), 0);
	assert_int_equal(listener_open(&listener, &list.at[0], NULL, NULL), 0);
	assert_int_equal(model->run(&acceptors, &listener, now, NULL), 0);
}

static void run(void)
{
	run_on("127.0.0.1:0");
}

static void end(void)
{
	model->drain(&acceptors, 0);
	model->close(&acceptors);
	listener_close(&listener);
	while (client_count > 0)
		close(clients[--client_count]);
}

/* The last packet of the handshake may still be in transit when connect(2) returns. */
static void wait_for_queue(unsigned length)
{
	while (listener_queue_is_empty(&listener) ||
	       (unsigned)listener_queue_length(&listener) < length)
		sched_yield();
}

/* Puts a client into the queue. */
static void come(void)
{
	int fd = socket(address_family(&listener.address), SOCK_STREAM, 0);

	assert_true(fd >= 0 && client_count < CLIENTS);
	clients[client_count++] = fd;
	assert_int_equal(connect(fd, &listener.address.any.sa, listener.address.length),
			 0);
	wait_for_queue(client_count);
}

/* Has the loop report what has happened so far. */
static void hear(void)
{
	assert_int_equal(loop_wait(&fake.loop, 0), 0);
}

static void tick_when_due(void)
{
	assert_true(model->deadline(&acceptors) <
		    CLOCK_NEVER); /* by the loop's clock */
	if (now < model->deadline(&acceptors))
		now = model->deadline(&acceptors);
	model->tick(&acceptors, now, now);
}

static struct tally *tally_of(const struct process *process)
{
	return &acceptors.tallies[process_index(&fake.processes, process)];
}

static struct process *accepting_process(pid_t pid)
{
	return fake_process(pid, PROCESS_ACCEPTING, now);
}

static struct ending ending;

/* ending may point to this. */
static siginfo_t info;

static unsigned ended(struct process *process, int code, int status)
{
	info = (siginfo_t){ .si_code = code, .si_status = status };
	info.si_pid = process->pid;
	return model->ended(&acceptors, process, &info, now, &ending);
}

static unsigned exited(struct process *process, int status)
{
	return ended(process, CLD_EXITED, status);
}

static unsigned killed(struct process *process, int number)
{
	return ended(process, CLD_KILLED, number);
}

static void a_worker_that_has_served_and_leaves_in_order_is_no_news(void **state)
{
	struct process *process;

	(void)state;
	run();
	process = accepting_process(50);
	tally_of(process)->accepted = 3;
	tally_of(process)->closed[REASON_EOF] = 3;
	assert_int_equal(exited(process, 0), OUTCOME_SPARE_SERVED);
	assert_int_equal(fake.sessions.totals.accepted, 3);
	assert_int_equal(fake.sessions.totals.closed[REASON_EOF], 3);
	assert_int_equal(tally_of(process)->accepted, 0);
	end();
}

/* The supervisor does not know which client it was, but knows how the worker ended. */
static void with_a_worker_that_dies_its_open_connection_ends(void **state)
{
	struct process *process;

	(void)state;
	run();
	process = accepting_process(50);
	tally_of(process)->accepted = 3;
	tally_of(process)->closed[REASON_EOF] = 2;
	process_row(&fake.processes, process)->bytes_in = 7;
	process_row(&fake.processes, process)->bytes_out = 8;
	assert_int_equal(killed(process, SIGSEGV),
			 OUTCOME_SESSION | OUTCOME_SPARE_SERVED);
	assert_int_equal(ending.reason, REASON_CRASH_SIGNAL);
	assert_int_equal(ending.pid, 50);
	assert_int_equal(ending.info->si_status, SIGSEGV);
	assert_int_equal(ending.bytes_in, 7);
	assert_int_equal(ending.bytes_out, 8);
	assert_int_equal(process->session.client.id, 0);
	assert_int_equal(process->session.client.fd, -1);
	/* sessions_end() counts the connection as closed; the model does not. */
	assert_int_equal(totals_active(&fake.sessions.totals), 1);
	end();
}

static void the_open_connection_of_a_worker_that_is_told_to_end_ends_as_told(
	void **state)
{
	struct process *process;

	(void)state;
	run();
	process = accepting_process(50);
	tally_of(process)->accepted = 1;
	process_kill(&fake.processes, process, REASON_STOPPED, now);
	assert_int_equal(killed(process, SIGKILL),
			 OUTCOME_SESSION | OUTCOME_SPARE_SERVED);
	assert_int_equal(ending.reason, REASON_STOPPED);
	assert_null(ending.info);
	end();
}

static void a_worker_that_dies_without_having_served_is_a_dead_spare(void **state)
{
	(void)state;
	run();
	assert_int_equal(killed(accepting_process(50), SIGKILL), OUTCOME_SPARE_DIED);
	assert_int_equal(exited(accepting_process(51), 1), OUTCOME_SPARE_DIED);
	/* A worker that leaves in order without having served counts the same. */
	assert_int_equal(exited(accepting_process(52), 0), OUTCOME_SPARE_DIED);
	assert_int_equal(fake.sessions.totals.accepted, 0);
	end();
}

static void a_worker_that_dies_between_two_clients_is_both(void **state)
{
	struct process *process;

	(void)state;
	run();
	process = accepting_process(50);
	tally_of(process)->accepted = 2;
	tally_of(process)->closed[REASON_EOF] = 2;
	assert_int_equal(killed(process, SIGKILL),
			 OUTCOME_SPARE_SERVED | OUTCOME_SPARE_DIED);
	end();
}

static void a_worker_that_was_told_to_end_is_no_news(void **state)
{
	struct process *process;

	(void)state;
	run();
	process = accepting_process(50);
	process_kill(&fake.processes, process, REASON_STOPPED, now);
	assert_int_equal(killed(process, SIGKILL), 0);
	end();
}

static void a_worker_that_ends_at_a_stop_is_no_news(void **state)
{
	(void)state;
	run();
	model->drain(&acceptors, 0);
	assert_int_equal(exited(accepting_process(50), 0), 0);
	assert_int_equal(killed(accepting_process(51), SIGTERM), 0);
	end();
}

/* At a stop the supervisor accepts the rest of the queue; no tally counts these. */
static void a_worker_with_a_client_of_the_supervisor_ends_that_connection(void **state)
{
	struct process *process;

	(void)state;
	run();
	model->drain(&acceptors, 0);
	process = fake_process(50, PROCESS_BUSY, now);
	process->session.client.id = 9;
	assert_int_equal(exited(process, reason_exit_status(REASON_EOF)),
			 OUTCOME_SESSION);
	assert_int_equal(ending.reason, REASON_EOF);
	assert_int_equal(fake.sessions.totals.accepted, 0);
	end();
}

static void totals_have_what_the_living_count(void **state)
{
	struct totals totals = { .accepted = 1 };

	(void)state;
	run();
	tally_of(accepting_process(50))->accepted = 3;
	tally_of(accepting_process(51))->accepted = 4;
	model->add_living(&acceptors, &totals);
	assert_int_equal(totals.accepted, 8);
	assert_int_equal(fake.sessions.totals.accepted, 0);
	end();
}

static void until_clients_come_as_many_are_wanted_as_spares(void **state)
{
	(void)state;
	run();
	hear();
	assert_int_equal(model->wanted(&acceptors), SPARE);
	assert_int_equal(model->deadline(&acceptors), CLOCK_NEVER);
	assert_false(model->is_full(&acceptors));
	end();
}

static void expect_growth(void)
{
	struct tally *tallies[SPARE];

	for (int i = 0; i < SPARE; i++) {
		tallies[i] = tally_of(accepting_process(50 + i));
		tallies[i]->accepted = 1;
	}
	come();
	hear();
	tick_when_due();
	assert_int_equal(model->wanted(&acceptors), SPARE);
	tick_when_due();
	assert_int_equal(model->wanted(&acceptors), 2 * SPARE);
	for (int i = 0; i < SPARE; i++)
		tallies[i]->closed[REASON_EOF] = 1;
}

static void a_client_that_stays_in_the_queue_makes_more_wanted(void **state)
{
	(void)state;
	run();
	expect_growth();
	end();
}

/* The machine may have no processor for the worker that is free. */
static void while_a_worker_is_free_no_more_are_wanted_at_once(void **state)
{
	(void)state;
	run();
	for (int i = 0; i < SPARE; i++)
		tally_of(accepting_process(50 + i))->accepted = i > 0;
	come();
	hear();
	tick_when_due();
	tick_when_due();
	assert_int_equal(model->wanted(&acceptors), SPARE);
	end();
}

/* The kernel does not report the length of a UNIX socket's queue. */
static void a_client_that_stays_in_the_queue_of_a_path_makes_more_wanted(void **state)
{
	char folder[] = "/tmp/prong-unit-XXXXXX";
	char text[64];

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(text, sizeof(text), "unix:%s/socket", folder);
	run_on(text);
	expect_growth();
	end();
	assert_int_equal(rmdir(folder), 0);
}

static void clients_that_the_workers_have_taken_make_no_more_wanted(void **state)
{
	struct process *process;

	(void)state;
	run();
	process = accepting_process(50);
	come();
	come();
	hear();
	tick_when_due();
	tally_of(process)->accepted = 2;
	tick_when_due();
	assert_int_equal(model->wanted(&acceptors), SPARE);
	end();
}

/* An event for each client would cost more than a hand-over. */
static void the_queue_is_watched_again_only_after_a_rest(void **state)
{
	struct process *process;

	(void)state;
	run();
	process = accepting_process(50);
	assert_int_equal(fake.loop.watched, 1);
	come();
	hear();
	assert_int_equal(fake.loop.watched, 0);
	tally_of(process)->accepted = 1;
	tick_when_due();
	assert_int_equal(fake.loop.watched, 0);
	tick_when_due();
	assert_int_equal(fake.loop.watched, 1);
	assert_int_equal(model->deadline(&acceptors), CLOCK_NEVER);
	end();
}

static void before_its_deadline_a_tick_changes_nothing(void **state)
{
	(void)state;
	run();
	accepting_process(50);
	come();
	hear();
	for (int i = 0; i < 10; i++)
		model->tick(&acceptors, now, model->deadline(&acceptors) - 1);
	assert_int_equal(model->wanted(&acceptors), SPARE);
	assert_int_equal(acceptors.autoscale.looks, 0);
	end();
}

/* epoll_ctl(2) fails, so no event will report clients. */
static void a_queue_that_cannot_be_watched_is_looked_at_by_the_clock(void **state)
{
	int epoll;

	(void)state;
	run();
	accepting_process(50);
	come();
	hear();
	tally_of(&fake.processes.at[0])->accepted = 1;
	tick_when_due();
	epoll = fake.loop.fd;
	fake.loop.fd = -1;
	tick_when_due();
	fake.loop.fd = epoll;
	assert_int_equal(fake.loop.watched, 0);
	assert_int_equal(model->deadline(&acceptors), now + AUTOSCALE_REST_US);
	end();
}

static void those_that_are_not_needed_are_told_to_leave(void **state)
{
	(void)state;
	run();
	expect_growth();
	for (int i = SPARE; i < 2 * SPARE; i++)
		accepting_process(50 + i);
	tally_of(&fake.processes.at[0])->accepted = 1;
	tally_of(&fake.processes.at[0])->closed[REASON_EOF] = 1;
	for (; model->wanted(&acceptors) > SPARE; now += clock_us_from_ms(20)) {
		hear(); /* the client in the queue looks like a new one */
		tally_of(&fake.processes.at[0])->accepted++;
		tally_of(&fake.processes.at[0])->closed[REASON_EOF]++;
		tick_when_due();
	}
	for (int i = 0; i < 2 * SPARE; i++)
		assert_int_equal(acceptors.tallies[i].retires, i >= SPARE);
	end();
}

/* The workers have taken every client, so the queue is watched again. */
static void the_queue_stays_watched_while_it_shrinks(void **state)
{
	(void)state;
	run();
	expect_growth();
	acceptors.tallies[0].accepted = acceptors.tallies[0].closed[REASON_EOF] = 1;
	close(accept(listener.fd, NULL, NULL));
	for (; model->wanted(&acceptors) > SPARE; now += clock_us_from_ms(20))
		tick_when_due();
	assert_int_equal(fake.loop.watched, 1);
	assert_int_equal(model->deadline(&acceptors), CLOCK_NEVER);
	end();
}

static void at_a_stop_the_queue_is_watched_no_more(void **state)
{
	(void)state;
	run();
	come();
	model->drain(&acceptors, 0);
	assert_int_equal(fake.loop.watched, 0);
	hear();
	assert_int_equal(acceptors.autoscale.state, AUTOSCALE_OFF);
	end();
}

static void at_a_stop_nothing_is_due_any_more(void **state)
{
	(void)state;
	run();
	come();
	hear();
	model->drain(&acceptors, 0);
	assert_int_equal(model->deadline(&acceptors), CLOCK_NEVER);
	model->tick(&acceptors, now, now + 3600 * INT64_C(1000000));
	assert_int_equal(fake.loop.watched, 0);
	end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		faked(a_worker_that_has_served_and_leaves_in_order_is_no_news),
		faked(with_a_worker_that_dies_its_open_connection_ends),
		faked(the_open_connection_of_a_worker_that_is_told_to_end_ends_as_told),
		faked(a_worker_that_dies_without_having_served_is_a_dead_spare),
		faked(a_worker_that_dies_between_two_clients_is_both),
		faked(a_worker_that_was_told_to_end_is_no_news),
		faked(a_worker_that_ends_at_a_stop_is_no_news),
		faked(a_worker_with_a_client_of_the_supervisor_ends_that_connection),
		faked(totals_have_what_the_living_count),
		faked(until_clients_come_as_many_are_wanted_as_spares),
		faked(while_a_worker_is_free_no_more_are_wanted_at_once),
		faked(a_client_that_stays_in_the_queue_makes_more_wanted),
		faked(a_client_that_stays_in_the_queue_of_a_path_makes_more_wanted),
		faked(clients_that_the_workers_have_taken_make_no_more_wanted),
		faked(the_queue_is_watched_again_only_after_a_rest),
		faked(before_its_deadline_a_tick_changes_nothing),
		faked(a_queue_that_cannot_be_watched_is_looked_at_by_the_clock),
		faked(those_that_are_not_needed_are_told_to_leave),
		faked(the_queue_stays_watched_while_it_shrinks),
		faked(at_a_stop_the_queue_is_watched_no_more),
		faked(at_a_stop_nothing_is_due_any_more),
	};

	return cmocka_run_group_tests_name("acceptors", tests, NULL, NULL);
}
