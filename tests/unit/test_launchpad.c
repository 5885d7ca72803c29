#include "engine/program/launchpad.h"

#include "check.h"

#define MANY 200

static struct launchpads pads;

static int open_pads(void **state)
{
	(void)state;
	pads = (struct launchpads){ 0 };
	return 0;
}

static int close_pads(void **state)
{
	(void)state;
	launchpads_close(&pads);
	return 0;
}

/* As launch_program() leaves it until the child has been executed. */
static struct launchpad *take_shared(void)
{
	struct launchpad *pad = launchpad_take(&pads);

	assert_non_null(pad);
	atomic_store(&pad->stage, LAUNCHPAD_SETTLED);
	return pad;
}

static unsigned count_in_use(void)
{
	unsigned count = 0;

	for (const struct launchpad *pad = pads.first; pad != NULL; pad = pad->next)
		count++;
	return count;
}

static void one_that_its_child_has_left_is_taken_again(void **state)
{
	struct launchpad *pad = take_shared();

	(void)state;
	atomic_store(&pad->stage, LAUNCHPAD_LEFT);
	assert_ptr_equal(launchpad_take(&pads), pad);
}

static void one_that_a_child_reads_is_not_taken(void **state)
{
	const struct launchpad *read[MANY];

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		read[i] = take_shared();
		for (unsigned j = 0; j < i; j++)
			assert_ptr_not_equal(read[i], read[j]);
	}
}

/* A program on a file system that hangs, while many others are executed. */
static void children_that_are_stuck_cost_no_more_than_themselves(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3; i++)
		take_shared();
	for (unsigned i = 0; i < 10 * MANY; i++)
		atomic_store(&take_shared()->stage, LAUNCHPAD_LEFT);
	assert_true(count_in_use() + pads.free_count < 20);
}

static void after_many_at_once_a_few_are_kept(void **state)
{
	struct launchpad *read[MANY];

	(void)state;
	for (unsigned i = 0; i < MANY; i++)
		read[i] = take_shared();
	for (unsigned i = 0; i < MANY; i++)
		atomic_store(&read[i]->stage, LAUNCHPAD_LEFT);
	for (unsigned i = 0; i < MANY; i++)
		atomic_store(&take_shared()->stage, LAUNCHPAD_LEFT);
	assert_true(count_in_use() + pads.free_count < 20);
}

#define with_pads(test) cmocka_unit_test_setup_teardown(test, open_pads, close_pads)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_pads(one_that_its_child_has_left_is_taken_again),
		with_pads(one_that_a_child_reads_is_not_taken),
		with_pads(children_that_are_stuck_cost_no_more_than_themselves),
		with_pads(after_many_at_once_a_few_are_kept),
	};

	return cmocka_run_group_tests_name("launchpad", tests, NULL, NULL);
}
