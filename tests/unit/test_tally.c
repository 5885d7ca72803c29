#include "engine/supervisor/tally.h"

#include "check.h"
#include "fake.h"

#define COUNT_MAX 8

static struct tally *tallies;

static int open_tallies(void **state)
{
	tallies = tallies_open(COUNT_MAX);
	return tallies == NULL ? -1 : fake_open(state);
}

static int close_tallies(void **state)
{
	tallies_close(tallies, COUNT_MAX);
	return fake_close(state);
}

/* Writes what a worker would: each connection has received 10 bytes and sent 20. */
static void count(struct tally *tally, uint64_t accepted, uint64_t eof, uint64_t reset)
{
	tally->accepted = accepted;
	tally->bytes_in = 10 * (eof + reset);
	tally->bytes_out = 20 * (eof + reset);
	tally->closed[REASON_EOF] = eof;
	tally->closed[REASON_RESET] = reset;
}

static void expect_totals(const struct totals *totals, uint64_t accepted, uint64_t eof,
			  uint64_t reset)
{
	assert_int_equal(totals->accepted, accepted);
	assert_int_equal(totals->closed[REASON_EOF], eof);
	assert_int_equal(totals->closed[REASON_RESET], reset);
	assert_int_equal(totals_closed(totals), eof + reset);
	assert_int_equal(totals->bytes_in, 10 * (eof + reset));
	assert_int_equal(totals->bytes_out, 20 * (eof + reset));
}

static void tallies_are_added_to_what_is_there_and_stay_as_they_are(void **state)
{
	struct totals totals = { .accepted = 100 };

	(void)state;
	totals.closed[REASON_RESET] = 1;
	totals.bytes_in = 10;
	totals.bytes_out = 20;
	count(&tallies[0], 5, 3, 1);
	count(&tallies[1], 7, 0, 7);
	count(&tallies[2], 1000, 1000, 0); /* beyond the ones that are asked for */
	tallies_add(tallies, 2, &totals);
	expect_totals(&totals, 112, 3, 9);
	totals = (struct totals){ 0 };
	tallies_add(tallies, 2, &totals);
	expect_totals(&totals, 12, 3, 8);
}

static void what_an_ended_worker_has_counted_moves_to_the_totals(void **state)
{
	struct totals totals = { 0 };
	struct tally_life life;

	(void)state;
	count(&tallies[0], 5, 3, 2);
	tallies[0].retires = true;
	life = tally_fold(&tallies[0], &totals);
	assert_int_equal(life.accepted, 5);
	assert_false(life.open);
	expect_totals(&totals, 5, 3, 2);
	/* The next worker of the slot begins anew, and stays. */
	assert_false(tallies[0].retires);
	life = tally_fold(&tallies[0], &totals);
	assert_int_equal(life.accepted, 0);
	assert_false(life.open);
	expect_totals(&totals, 5, 3, 2);
}

static void a_connection_without_an_end_is_open(void **state)
{
	struct totals totals = { .accepted = 3 };

	(void)state;
	/* Counts of other workers do not hide it. */
	totals.closed[REASON_DONE] = 3;
	count(&tallies[0], 5, 3, 1);
	assert_true(tally_fold(&tallies[0], &totals).open);
	assert_int_equal(totals_active(&totals), 1);
}

/* A worker that was broken into can write anything into its tally. */
static void a_tally_of_nonsense_makes_totals_that_can_still_be_added_to(void **state)
{
	struct totals totals = { .accepted = 3 };

	(void)state;
	for (int i = 0; i < COUNT_MAX; i++) {
		tallies[i].accepted = UINT64_MAX;
		tallies[i].bytes_in = UINT64_MAX - 1;
		for (int reason = 0; reason < REASON_COUNT; reason++)
			tallies[i].closed[reason] = (uint64_t)INT64_MAX + 1;
	}
	tallies_add(tallies, COUNT_MAX, &totals);
	assert_int_equal(totals.accepted, INT64_MAX);
	assert_int_equal(totals.bytes_in, INT64_MAX);
	assert_int_equal(totals_closed(&totals), INT64_MAX);
	assert_int_equal(totals_active(&totals), 0);
	for (int i = 0; i < COUNT_MAX; i++)
		assert_false(tally_fold(&tallies[i], &totals).open);
	assert_int_equal(totals.accepted, INT64_MAX);
}

static void more_ended_than_accepted_is_no_open_connection(void **state)
{
	struct totals totals = { 0 };

	(void)state;
	count(&tallies[0], 1, 3, 0);
	assert_false(tally_fold(&tallies[0], &totals).open);
	assert_int_equal(totals_active(&totals), 0);
}

static void the_newest_retire_and_no_others(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++)
		fake_process(50 + i, PROCESS_ACCEPTING, i);
	fake_process(60, PROCESS_BUSY, 9);
	/* The first one becomes the newest. */
	process_set_state(&fake.processes, process_find(&fake.processes, 50),
			  PROCESS_ACCEPTING, 10);
	tallies_retire(tallies, &fake.processes, 2);
	assert_true(tallies[0].retires);
	assert_false(tallies[1].retires);
	assert_false(tallies[2].retires);
	assert_false(tallies[3].retires);
	assert_true(tallies[4].retires);
	assert_false(tallies[5].retires);
}

static void to_retire_fewer_takes_it_back(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		fake_process(50 + i, PROCESS_ACCEPTING, i);
	tallies_retire(tallies, &fake.processes, 100);
	for (int i = 0; i < 3; i++)
		assert_true(tallies[i].retires);
	assert_false(tallies[3].retires);
	tallies_retire(tallies, &fake.processes, 1);
	assert_false(tallies[0].retires);
	assert_false(tallies[1].retires);
	assert_true(tallies[2].retires);
	tallies_retire(tallies, &fake.processes, 0);
	assert_false(tallies[2].retires);
}

#define with_tallies(function) \
	cmocka_unit_test_setup_teardown(function, open_tallies, close_tallies)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tallies(tallies_are_added_to_what_is_there_and_stay_as_they_are),
		with_tallies(what_an_ended_worker_has_counted_moves_to_the_totals),
		with_tallies(a_connection_without_an_end_is_open),
		with_tallies(
			a_tally_of_nonsense_makes_totals_that_can_still_be_added_to),
		with_tallies(more_ended_than_accepted_is_no_open_connection),
		with_tallies(the_newest_retire_and_no_others),
		with_tallies(to_retire_fewer_takes_it_back),
	};

	return cmocka_run_group_tests_name("tally", tests, NULL, NULL);
}
