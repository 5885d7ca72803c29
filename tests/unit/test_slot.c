#include "engine/slot.h"

#include "check.h"

#define MAX 100

static struct slots slots;

static int open_slots(void **state)
{
	note_what_is_open(state);
	return slots_open(&slots, MAX);
}

static int close_slots(void **state)
{
	slots_close(&slots);
	return nothing_is_left(state);
}

static struct slot *occupied(pid_t pid, enum slot_state state, int64_t now)
{
	struct slot *slot = slot_take(&slots);

	assert_non_null(slot);
	slot_occupy(&slots, slot, pid, state, now);
	return slot;
}

static void as_many_slots_can_be_taken_as_there_are(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MAX; i++) {
		assert_false(slots_are_all_taken(&slots));
		assert_int_equal(
			slot_index(&slots, occupied((pid_t)(i + 1), SLOT_BUSY, 0)), i);
	}
	assert_true(slots_are_all_taken(&slots));
	assert_null(slot_take(&slots));
	assert_int_equal(slots.used, MAX);
}

static void a_freed_slot_is_taken_next_and_is_clean(void **state)
{
	struct slot *first = occupied(10, SLOT_BUSY, 5);

	(void)state;
	occupied(11, SLOT_BUSY, 5);
	first->client.id = 7;
	first->channel = 3;
	first->cut = REASON_STOPPED;
	slot_free(&slots, first);
	assert_int_equal(slots.used, 1);
	assert_ptr_equal(slot_take(&slots), first);
	assert_int_equal(first->pid, 0);
	assert_int_equal(first->client.id, 0);
	assert_int_equal(first->client.fd, -1);
	assert_int_equal(first->channel, -1);
	assert_int_equal(first->cut, REASON_NONE);
}

static void a_slot_without_a_process_can_be_given_back(void **state)
{
	struct slot *slot = slot_take(&slots);

	(void)state;
	slot_free(&slots, slot);
	assert_int_equal(slots.used, 0);
	for (int i = 0; i < MAX; i++)
		assert_non_null(slot_take(&slots));
	assert_null(slot_take(&slots));
}

/* Pids that differ by a power of two share a chain. */
static void a_process_is_found_by_its_pid_until_it_is_freed(void **state)
{
	static const pid_t pids[] = { 5, 5 + 128, 5 + 256, 5 + 65536, 4194303 };
	struct slot *at[COUNT(pids)];

	(void)state;
	for (size_t i = 0; i < COUNT(pids); i++)
		at[i] = occupied(pids[i], SLOT_IDLE, 0);
	for (size_t i = 0; i < COUNT(pids); i++)
		assert_ptr_equal(slot_find(&slots, pids[i]), at[i]);
	slot_free(&slots, at[1]);
	slot_free(&slots, at[3]);
	assert_null(slot_find(&slots, pids[1]));
	assert_null(slot_find(&slots, pids[3]));
	assert_ptr_equal(slot_find(&slots, pids[0]), at[0]);
	assert_ptr_equal(slot_find(&slots, pids[2]), at[2]);
	assert_ptr_equal(slot_find(&slots, pids[4]), at[4]);
	assert_null(slot_find(&slots, 12345));
}

static void each_state_lists_its_slots_the_oldest_first(void **state)
{
	struct slot *a = occupied(1, SLOT_IDLE, 10);
	struct slot *b = occupied(2, SLOT_IDLE, 20);
	struct slot *c = occupied(3, SLOT_IDLE, 30);

	(void)state;
	slot_set_state(&slots, b, SLOT_BUSY, 40);
	slot_set_state(&slots, a, SLOT_BUSY, 50);
	assert_ptr_equal(slots.in[SLOT_IDLE].first, c);
	assert_ptr_equal(slots.in[SLOT_IDLE].last, c);
	assert_int_equal(slots.in[SLOT_IDLE].count, 1);
	assert_ptr_equal(slots.in[SLOT_BUSY].first, b);
	assert_ptr_equal(slots.in[SLOT_BUSY].last, a);
	assert_int_equal(slots.in[SLOT_BUSY].count, 2);
	assert_int_equal(b->since, 40);
	slot_set_state(&slots, b, SLOT_BUSY, 60);
	assert_ptr_equal(slots.in[SLOT_BUSY].last, b);
	slot_free(&slots, a);
	slot_free(&slots, b);
	assert_null(slots.in[SLOT_BUSY].first);
	assert_null(slots.in[SLOT_BUSY].last);
	assert_int_equal(slots.in[SLOT_BUSY].count, 0);
}

static void slots_come_and_go_a_million_times(void **state)
{
	struct slot *at[MAX] = { NULL };
	pid_t pid = 1;

	(void)state;
	for (unsigned i = 0; i < 1000000; i++) {
		unsigned k = i * 7919 % MAX;

		if (at[k] != NULL)
			slot_free(&slots, at[k]);
		at[k] = occupied(pid++, i % 3 ? SLOT_BUSY : SLOT_IDLE, i);
	}
	for (unsigned k = 0; k < MAX; k++)
		assert_ptr_equal(slot_find(&slots, at[k]->pid), at[k]);
	for (unsigned k = 0; k < MAX; k++)
		slot_free(&slots, at[k]);
	assert_int_equal(slots.used, 0);
}

static void even_a_million_slots_can_be_opened(void **state)
{
	struct slots many;

	(void)state;
	assert_int_equal(slots_open(&many, 1000000), 0);
	slot_occupy(&many, slot_take(&many), 4194304, SLOT_BUSY, 0);
	assert_ptr_equal(slot_find(&many, 4194304), &many.at[0]);
	slots_close(&many);
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
		with_slots(slots_come_and_go_a_million_times),
		with_slots(even_a_million_slots_can_be_opened),
	};

	return cmocka_run_group_tests_name("slot", tests, NULL, NULL);
}
