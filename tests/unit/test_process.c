#include "engine/supervisor/process.h"

#include <sys/epoll.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "fake.h"

static void as_many_slots_can_be_taken_as_there_are(void **state)
{
	(void)state;
	for (unsigned i = 0; i < FAKE_SLOTS; i++) {
		assert_false(processes_are_all_taken(&fake.processes));
		assert_int_equal(
			process_index(&fake.processes,
				      fake_process((pid_t)(i + 1), PROCESS_BUSY, 0)),
			i);
	}
	assert_true(processes_are_all_taken(&fake.processes));
	assert_null(process_take(&fake.processes));
	assert_int_equal(fake.processes.used, FAKE_SLOTS);
}

static void a_freed_slot_is_taken_next_and_is_clean(void **state)
{
	struct process *first = fake_process(10, PROCESS_BUSY, 5);

	(void)state;
	fake_process(11, PROCESS_BUSY, 5);
	first->session.client.id = 7;
	first->channel = dup(STDERR_FILENO);
	first->end_cause = REASON_STOPPED;
	process_free(&fake.processes, first);
	assert_int_equal(fake.processes.used, 1);
	assert_ptr_equal(process_take(&fake.processes), first);
	assert_int_equal(first->pid, 0);
	assert_int_equal(first->session.client.id, 0);
	assert_int_equal(first->session.client.fd, -1);
	assert_int_equal(first->channel, -1);
	assert_int_equal(first->end_cause, REASON_NONE);
}

static void a_slot_without_a_process_can_be_given_back(void **state)
{
	struct process *process = process_take(&fake.processes);

	(void)state;
	process_free(&fake.processes, process);
	assert_int_equal(fake.processes.used, 0);
	for (int i = 0; i < FAKE_SLOTS; i++)
		assert_non_null(process_take(&fake.processes));
	assert_null(process_take(&fake.processes));
}

/* Pids that differ by a power of two share a chain. */
static void a_process_is_found_by_its_pid_until_it_is_freed(void **state)
{
	static const pid_t pids[] = { 5, 5 + 128, 5 + 256, 5 + 65536, 4194303 };
	struct process *at[COUNT(pids)];

	(void)state;
	for (size_t i = 0; i < COUNT(pids); i++)
		at[i] = fake_process(pids[i], PROCESS_IDLE, 0);
	for (size_t i = 0; i < COUNT(pids); i++)
		assert_ptr_equal(process_find(&fake.processes, pids[i]), at[i]);
	process_free(&fake.processes, at[1]);
	process_free(&fake.processes, at[3]);
	assert_null(process_find(&fake.processes, pids[1]));
	assert_null(process_find(&fake.processes, pids[3]));
	assert_ptr_equal(process_find(&fake.processes, pids[0]), at[0]);
	assert_ptr_equal(process_find(&fake.processes, pids[2]), at[2]);
	assert_ptr_equal(process_find(&fake.processes, pids[4]), at[4]);
	assert_null(process_find(&fake.processes, 12345));
}

static void each_state_lists_its_slots_the_oldest_first(void **state)
{
	struct process *a = fake_process(1, PROCESS_IDLE, 10);
	struct process *b = fake_process(2, PROCESS_IDLE, 20);
	struct process *c = fake_process(3, PROCESS_IDLE, 30);

	(void)state;
	process_set_state(&fake.processes, b, PROCESS_BUSY, 40);
	process_set_state(&fake.processes, a, PROCESS_BUSY, 50);
	assert_ptr_equal(fake.processes.in[PROCESS_IDLE].first, c);
	assert_ptr_equal(fake.processes.in[PROCESS_IDLE].last, c);
	assert_int_equal(fake.processes.in[PROCESS_IDLE].count, 1);
	assert_ptr_equal(fake.processes.in[PROCESS_BUSY].first, b);
	assert_ptr_equal(fake.processes.in[PROCESS_BUSY].last, a);
	assert_int_equal(fake.processes.in[PROCESS_BUSY].count, 2);
	assert_int_equal(b->since_us, 40);
	process_set_state(&fake.processes, b, PROCESS_BUSY, 60);
	assert_ptr_equal(fake.processes.in[PROCESS_BUSY].last, b);
	process_free(&fake.processes, a);
	process_free(&fake.processes, b);
	assert_null(fake.processes.in[PROCESS_BUSY].first);
	assert_null(fake.processes.in[PROCESS_BUSY].last);
	assert_int_equal(fake.processes.in[PROCESS_BUSY].count, 0);
}

static void processes_come_and_go_a_million_times(void **state)
{
	struct process *at[FAKE_SLOTS] = { NULL };
	pid_t pid = 1;

	(void)state;
	for (unsigned i = 0; i < 1000000; i++) {
		unsigned k = i * 7919 % FAKE_SLOTS;

		if (at[k] != NULL)
			process_free(&fake.processes, at[k]);
		at[k] = fake_process(pid++, i % 3 ? PROCESS_BUSY : PROCESS_IDLE, i);
	}
	for (unsigned k = 0; k < FAKE_SLOTS; k++)
		assert_ptr_equal(process_find(&fake.processes, at[k]->pid), at[k]);
	for (unsigned k = 0; k < FAKE_SLOTS; k++)
		process_free(&fake.processes, at[k]);
	assert_int_equal(fake.processes.used, 0);
}

static void even_a_million_slots_can_be_opened(void **state)
{
	struct processes many;

	(void)state;
	assert_int_equal(processes_open(&many, &fake.loop, 1000000), 0);
	process_occupy(&many, process_take(&many), 4194304, PROCESS_BUSY, 0);
	assert_ptr_equal(process_find(&many, 4194304), &many.at[0]);
	processes_close(&many);
}

static void a_signal_goes_to_the_process_group(void **state)
{
	struct process *process = fake_process(50, PROCESS_BUSY, 0);

	(void)state;
	process_terminate(&fake.processes, process, REASON_DEADLINE, 10);
	expect_sent(-50, SIGTERM);
	assert_int_equal(process->state, PROCESS_ENDING);
	assert_int_equal(process->since_us, 10);
	process_kill(&fake.processes, process, REASON_STOPPED, 20);
	expect_killed(50);
	assert_int_equal(process->state, PROCESS_KILLED);
	assert_int_equal(process->since_us, 20);
}

/* A child makes its group itself, a moment after the fork. */
static void a_signal_goes_to_the_process_while_it_has_no_group(void **state)
{
	struct process *process = fake_process(50, PROCESS_BUSY, 0);

	(void)state;
	fake.no_groups = true;
	process_terminate(&fake.processes, process, REASON_DEADLINE, 10);
	expect_sent(50, SIGTERM);
	process_kill(&fake.processes, process, REASON_NONE, 20);
	expect_sent(50, SIGKILL);
}

/* It may have moved to any group, even the supervisor's own, which gets no signal. */
static void a_signal_reaches_a_process_that_has_left_its_group(void **state)
{
	struct process *process = fake_process(50, PROCESS_BUSY, 0);

	(void)state;
	fake.has_left = true;
	process_terminate(&fake.processes, process, REASON_DEADLINE, 10);
	assert_int_equal(fake.sent_count, 2);
	assert_int_equal(fake.sent[0].pid, -50);
	assert_int_equal(fake.sent[1].pid, 50);
	fake.sent_count = 0;
	process_kill(&fake.processes, process, REASON_NONE, 20);
	expect_killed(50);
}

static void a_client_that_is_gone_is_told_to_the_process_alone(void **state)
{
	struct process *process = fake_process(50, PROCESS_BUSY, 0);

	(void)state;
	process_hang_up(&fake.processes, process, SIGTERM, 10);
	expect_sent(50, SIGTERM);
	assert_int_equal(process->state, PROCESS_HUNG_UP);
}

static void a_kill_that_is_refused_is_told(void **state)
{
	struct process *process = fake_process(50, PROCESS_BUSY, 0);

	(void)state;
	process_kill(&fake.processes, process, REASON_NONE, 20);
	expect_killed(50);
	fake.refusal = -EPERM;
	assert_int_equal(process_kill_again(&fake.processes, process), -EPERM);
	expect_killed(50);
}

static void the_first_cause_of_an_end_counts(void **state)
{
	struct process *process = fake_process(50, PROCESS_BUSY, 0);

	(void)state;
	process_terminate(&fake.processes, process, REASON_IDLE, 10);
	process_terminate(&fake.processes, process, REASON_DEADLINE, 20);
	process_kill(&fake.processes, process, REASON_STOPPED, 30);
	assert_int_equal(process->end_cause, REASON_IDLE);
}

static void a_process_that_is_killed_loses_its_channel(void **state)
{
	struct process *process = fake_process(50, PROCESS_IDLE, 0);
	struct pair pair = fake_channel(process);

	(void)state;
	process_terminate(&fake.processes, process, REASON_STOPPED, 10);
	expect_open(pair.client);
	process_kill(&fake.processes, process, REASON_STOPPED, 20);
	expect_end(pair.client);
	close(pair.client);
}

static void to_kill_all_kills_each_living_process_once(void **state)
{
	static const enum process_state states[] = {
		PROCESS_IDLE,   PROCESS_BUSY,   PROCESS_ACCEPTING,
		PROCESS_ENDING, PROCESS_KILLED,
	};
	unsigned told = 0;

	(void)state;
	for (unsigned i = 0; i < 10; i++)
		fake_process((pid_t)(50 + i), states[i % COUNT(states)], 0);
	processes_kill(&fake.processes, REASON_STOPPED, 10);
	assert_int_equal(fake.processes.in[PROCESS_KILLED].count, 10);
	for (unsigned i = 0; i < fake.sent_count; i++) {
		assert_int_equal(fake.sent[i].number, SIGKILL);
		told |= 1U << (abs(fake.sent[i].pid) - 50);
	}
	/* To all except the two that had got SIGKILL before; each, and its group. */
	assert_int_equal(fake.sent_count, 2 * 8);
	assert_int_equal(told, 0x3ff & ~(1U << 4 | 1U << 9));
	fake.sent_count = 0;
	processes_kill(&fake.processes, REASON_STOPPED, 20);
	expect_nothing_sent();
}

static void a_process_that_left_by_itself_is_sent_nothing(void **state)
{
	struct process *process = fake_process(50, PROCESS_IDLE, 0);
	struct pair pair = fake_channel(process);

	(void)state;
	process_lost(&fake.processes, process, 10);
	expect_nothing_sent();
	expect_end(pair.client);
	assert_int_equal(fake.processes.in[PROCESS_IDLE].count, 0);
	assert_int_equal(process->state, PROCESS_ENDING);
	assert_int_equal(process->end_cause, REASON_NONE);
	assert_true(process->left_idle);
	close(pair.client);
}

/* What the loop reported about a process: its slot, and how often. */
static unsigned told_of, told;

static void tell(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	(void)now_us;
	assert_ptr_equal(owner, &fake);
	assert_true((events & EPOLLIN) != 0);
	told_of = index;
	told++;
}

/* How often the loop has reported a descriptor that is always ready. */
static unsigned times_told(void)
{
	told = 0;
	assert_int_equal(loop_wait(&fake.loop, 0), 0);
	return told;
}

static void watch(struct process *process, int fd)
{
	assert_int_equal(
		process_watch(&fake.processes, process, fd, EPOLLIN, tell, &fake), 0);
}

static void a_descriptor_of_a_process_is_watched_until_that_ends(void **state)
{
	struct process *process;
	struct pair pair = pair_unix();

	(void)state;
	fake_process(50, PROCESS_BUSY, 0);
	process = fake_process(51, PROCESS_BUSY, 0);
	assert_int_equal(write(pair.client, "x", 1), 1);
	watch(process, pair.server);
	assert_int_equal(times_told(), 1);
	assert_int_equal(told_of, 1);
	process_unwatch(&fake.processes, process);
	assert_int_equal(times_told(), 0);
	process_unwatch(&fake.processes, process);
	assert_int_equal(fake.loop.watched, 0);
	pair_close(&pair);
}

/* A copy in a child keeps a registration alive, so it must be removed first. */
static void a_channel_that_is_dropped_is_watched_no_more(void **state)
{
	struct process *process = fake_process(50, PROCESS_IDLE, 0);
	struct pair pair = fake_channel(process);
	int childs_copy = dup(pair.server);

	(void)state;
	assert_int_equal(write(pair.client, "x", 1), 1);
	watch(process, process->channel);
	process_drop_channel(&fake.processes, process);
	assert_int_equal(process->channel, -1);
	assert_int_equal(process->watched, -1);
	assert_int_equal(times_told(), 0);
	process_drop_channel(&fake.processes, process);
	close(childs_copy);
	close(pair.client);
}

static void a_connection_stays_watched_when_the_channel_is_dropped(void **state)
{
	struct process *process = fake_process(50, PROCESS_BUSY, 0);
	struct pair channel = fake_channel(process), connection = pair_unix();

	(void)state;
	assert_int_equal(write(connection.client, "x", 1), 1);
	watch(process, connection.server);
	process_drop_channel(&fake.processes, process);
	assert_int_equal(times_told(), 1);
	process_unwatch(&fake.processes, process);
	pair_close(&connection);
	close(channel.client);
}

static void what_cannot_be_watched_is_not_taken_for_watched(void **state)
{
	struct process *process = fake_process(50, PROCESS_BUSY, 0);

	(void)state;
	assert_int_equal(
		process_watch(&fake.processes, process, 123456, EPOLLIN, tell, &fake),
		-EBADF);
	assert_int_equal(process->watched, -1);
	assert_int_equal(fake.loop.watched, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		faked(as_many_slots_can_be_taken_as_there_are),
		faked(a_freed_slot_is_taken_next_and_is_clean),
		faked(a_slot_without_a_process_can_be_given_back),
		faked(a_process_is_found_by_its_pid_until_it_is_freed),
		faked(each_state_lists_its_slots_the_oldest_first),
		faked(processes_come_and_go_a_million_times),
		faked(even_a_million_slots_can_be_opened),
		faked(a_signal_goes_to_the_process_group),
		faked(a_signal_goes_to_the_process_while_it_has_no_group),
		faked(a_signal_reaches_a_process_that_has_left_its_group),
		faked(a_client_that_is_gone_is_told_to_the_process_alone),
		faked(a_kill_that_is_refused_is_told),
		faked(the_first_cause_of_an_end_counts),
		faked(a_process_that_is_killed_loses_its_channel),
		faked(to_kill_all_kills_each_living_process_once),
		faked(a_process_that_left_by_itself_is_sent_nothing),
		faked(a_descriptor_of_a_process_is_watched_until_that_ends),
		faked(a_channel_that_is_dropped_is_watched_no_more),
		faked(a_connection_stays_watched_when_the_channel_is_dropped),
		faked(what_cannot_be_watched_is_not_taken_for_watched),
	};

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
