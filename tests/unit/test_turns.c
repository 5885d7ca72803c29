#include "engine/supervisor/turns.h"

#include <string.h>

#include "check.h"

/* Counts which listener gives a client in the next turns, if they always have one. */
static void play(struct turns *turns, unsigned *given, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		unsigned index = turns_first(turns);

		given[index]++;
		turns_pass(turns, index);
	}
}

static void the_turn_goes_round(void **state)
{
	static const unsigned numbers[] = { 1, 5, 63, 1, 5 };
	struct turns turns = { .waiting = turns_bit(1) | turns_bit(5) | turns_bit(63) };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		assert_int_equal(turns_first(&turns), numbers[i]);
		turns_pass(&turns, numbers[i]);
	}
}

static void two_of_which_one_has_a_crowd_give_one_each(void **state)
{
	unsigned given[TURNS_MAX] = { 0 };
	struct turns turns = { .waiting = turns_bit(0) | turns_bit(1) };

	(void)state;
	play(&turns, given, 100);
	assert_int_equal(given[0], 50);
	assert_int_equal(given[1], 50);
}

static void all_that_wait_have_the_same_share(void **state)
{
	unsigned given[TURNS_MAX] = { 0 };
	struct turns turns = { .waiting = UINT64_MAX };

	(void)state;
	play(&turns, given, 10 * TURNS_MAX);
	for (unsigned i = 0; i < TURNS_MAX; i++)
		assert_int_equal(given[i], 10);
}

/* The crowd had all turns meanwhile; there is no compensation for that. */
static void one_that_comes_late_is_next_and_has_no_more_than_its_share(void **state)
{
	unsigned given[TURNS_MAX] = { 0 };
	struct turns turns = { .waiting = turns_bit(3) };

	(void)state;
	play(&turns, given, 1000);
	turns.waiting |= turns_bit(2);
	assert_int_equal(turns_first(&turns), 2);
	play(&turns, given, 10);
	assert_int_equal(given[2], 5);
}

static void one_without_a_client_gives_its_turn_away(void **state)
{
	struct turns turns = { .waiting = turns_bit(0) | turns_bit(1) | turns_bit(2) };

	(void)state;
	turns_pass(&turns, 0);
	turns_drop(&turns, 1);
	assert_int_equal(turns_first(&turns), 2);
	turns_drop(&turns, 2);
	assert_int_equal(turns_first(&turns), 0);
}

/* A listener whose client could not be taken is the first one the next time, too. */
static void a_turn_that_is_not_used_is_kept(void **state)
{
	struct turns turns = { .waiting = turns_bit(4) | turns_bit(9) };

	(void)state;
	turns_pass(&turns, 4);
	for (int i = 0; i < 3; i++)
		assert_int_equal(turns_first(&turns), 9);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(the_turn_goes_round),
		promise(two_of_which_one_has_a_crowd_give_one_each),
		promise(all_that_wait_have_the_same_share),
		promise(one_that_comes_late_is_next_and_has_no_more_than_its_share),
		promise(one_without_a_client_gives_its_turn_away),
		promise(a_turn_that_is_not_used_is_kept),
	};

	return cmocka_run_group_tests_name("turns", tests, NULL, NULL);
}
