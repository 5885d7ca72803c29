#include "engine/supervisor/process.h"

#include <unistd.h>

#include "check.h"

#define MAX 100

static struct loop loop = { .fd = -1 };
static struct processes processes;

static int open_slots(void **state)
{
	note_what_is_open(state);
	return processes_open(&processes, &loop, MAX);
}

static int close_slots(void **state)
{
	processes_close(&processes);
	return nothing_is_left(state);
}

static struct process *occupied(pid_t pid, enum process_state state, int64_t now)
{
	struct process *process = process_take(&processes);

	assert_non_null(process);
	process_occupy(&processes, process, pid, state, now);
	return process;
}

static void as_many_slots_can_be_taken_as_there_are(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MAX; i++) {
		assert_false(processes_are_all_taken(&processes));
		assert_int_equal(process_index(&processes, occupied((pid_t)(i + 1),
								    PROCESS_BUSY, 0)),
				 i);
	}
	assert_true(processes_are_all_taken(&processes));
	assert_null(process_take(&processes));
	assert_int_equal(processes.used, MAX);
}

static void a_freed_slot_is_taken_next_and_is_clean(void **state)
{
	struct process *first = occupied(10, PROCESS_BUSY, 5);

	(void)state;
	occupied(11, PROCESS_BUSY, 5);
	first->session.client.id = 7;
	first->channel = dup(STDERR_FILENO);
	first->end_cause = REASON_STOPPED;
	process_free(&processes, first);
	assert_int_equal(processes.used, 1);
	assert_ptr_equal(process_take(&processes), first);
	assert_int_equal(first->pid, 0);
	assert_int_equal(first->session.client.id, 0);
	assert_int_equal(first->session.client.fd, -1);
	assert_int_equal(first->channel, -1);
	assert_int_equal(first->end_cause, REASON_NONE);
}

static void a_slot_without_a_process_can_be_given_back(void **state)
{
	struct process *process = process_take(&processes);

	(void)state;
	process_free(&processes, process);
	assert_int_equal(processes.used, 0);
	for (int i = 0; i < MAX; i++)
		assert_non_null(process_take(&processes));
	assert_null(process_take(&processes));
}

/* Pids that differ by a power of two share a chain. */
static void a_process_is_found_by_its_pid_until_it_is_freed(void **state)
{
	static const pid_t pids[] = { 5, 5 + 128, 5 + 256, 5 + 65536, 4194303 };
	struct process *at[COUNT(pids)];

	(void)state;
	for (size_t i = 0; i < COUNT(pids); i++)
		at[i] = occupied(pids[i], PROCESS_IDLE, 0);
	for (size_t i = 0; i < COUNT(pids); i++)
		assert_ptr_equal(process_find(&processes, pids[i]), at[i]);
	process_free(&processes, at[1]);
	process_free(&processes, at[3]);
	assert_null(process_find(&processes, pids[1]));
	assert_null(process_find(&processes, pids[3]));
	assert_ptr_equal(process_find(&processes, pids[0]), at[0]);
	assert_ptr_equal(process_find(&processes, pids[2]), at[2]);
	assert_ptr_equal(process_find(&processes, pids[4]), at[4]);
	assert_null(process_find(&processes, 12345));
}

static void each_state_lists_its_slots_the_oldest_first(void **state)
{
	struct process *a = occupied(1, PROCESS_IDLE, 10);
	struct process *b = occupied(2, PROCESS_IDLE, 20);
	struct process *c = occupied(3, PROCESS_IDLE, 30);

	(void)state;
	process_set_state(&processes, b, PROCESS_BUSY, 40);
	process_set_state(&processes, a, PROCESS_BUSY, 50);
	assert_ptr_equal(processes.in[PROCESS_IDLE].first, c);
	assert_ptr_equal(processes.in[PROCESS_IDLE].last, c);
	assert_int_equal(processes.in[PROCESS_IDLE].count, 1);
	assert_ptr_equal(processes.in[PROCESS_BUSY].first, b);
	assert_ptr_equal(processes.in[PROCESS_BUSY].last, a);
	assert_int_equal(processes.in[PROCESS_BUSY].count, 2);
	assert_int_equal(b->since_us, 40);
	process_set_state(&processes, b, PROCESS_BUSY, 60);
	assert_ptr_equal(processes.in[PROCESS_BUSY].last, b);
	process_free(&processes, a);
	process_free(&processes, b);
	assert_null(processes.in[PROCESS_BUSY].first);
	assert_null(processes.in[PROCESS_BUSY].last);
	assert_int_equal(processes.in[PROCESS_BUSY].count, 0);
}

static void processes_come_and_go_a_million_times(void **state)
{
	struct process *at[MAX] = { NULL };
	pid_t pid = 1;

	(void)state;
	for (unsigned i = 0; i < 1000000; i++) {
		unsigned k = i * 7919 % MAX;

		if (at[k] != NULL)
			process_free(&processes, at[k]);
		at[k] = occupied(pid++, i % 3 ? PROCESS_BUSY : PROCESS_IDLE, i);
	}
	for (unsigned k = 0; k < MAX; k++)
		assert_ptr_equal(process_find(&processes, at[k]->pid), at[k]);
	for (unsigned k = 0; k < MAX; k++)
		process_free(&processes, at[k]);
	assert_int_equal(processes.used, 0);
}

static void even_a_million_slots_can_be_opened(void **state)
{
	struct processes many;

	(void)state;
	assert_int_equal(processes_open(&many, &loop, 1000000), 0);
	process_occupy(&many, process_take(&many), 4194304, PROCESS_BUSY, 0);
	assert_ptr_equal(process_find(&many, 4194304), &many.at[0]);
	processes_close(&many);
}

#define with_slots(function) \
	cmocka_unit_test_setup_teardown(function, open_slots, close_slots)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_slots(as_many_slots_can_be_taken_as_there_are),
		with_slots(a_freed_slot_is_taken_next_and_is_clean),
		with_slots(a_slot_without_a_process_can_be_given_back),
		with_slots(a_process_is_found_by_its_pid_until_it_is_freed),
		with_slots(each_state_lists_its_slots_the_oldest_first),
		with_slots(processes_come_and_go_a_million_times),
		with_slots(even_a_million_slots_can_be_opened),
	};

	return cmocka_run_group_tests_name("process", tests, NULL, NULL);
}
