#include "growth.h"

#include "check.h"

static void without_clients_nothing_is_ever_due(void **state)
{
	(void)state;
	begin(3, 10);
	assert_int_equal(autoscale.wanted, 3);
	assert_int_equal(autoscale_deadline(&autoscale), CLOCK_NEVER);
	assert_false(settle_after(3600 * SECOND));
	assert_int_equal(autoscale.wanted, 3);
	assert_int_equal(autoscale.state, AUTOSCALE_WATCHES);
}

static void twice_as_many_are_wanted_when_clients_still_wait_after_two_looks(
	void **state)
{
	(void)state;
	begin(3, 100);
	hear_while_held(5);
	assert_int_equal(autoscale_deadline(&autoscale), now + 10 * MS);
	assert_false(settle_after(10 * MS));
	assert_int_equal(autoscale.wanted, 3);
	assert_int_equal(autoscale_deadline(&autoscale), now + 10 * MS);
	assert_true(settle_after(10 * MS));
	assert_int_equal(autoscale.wanted, 6);
}

static void before_a_look_is_due_nothing_is_decided(void **state)
{
	(void)state;
	begin(3, 100);
	hear(5);
	for (int i = 0; i < 100; i++)
		assert_false(settle_after(99));
	assert_int_equal(autoscale_deadline(&autoscale), START + 10 * MS);
	assert_int_equal(autoscale.looks, 0);
}

/* Slow clients: between two looks the workers take some of them, but not all. */
static void it_grows_while_not_all_of_those_that_waited_were_taken(void **state)
{
	(void)state;
	begin(2, 100);
	hear_while_held(60);
	settle_when_due();
	view.accepted += 59;
	assert_true(settle_when_due());
	assert_int_equal(autoscale.wanted, 4);
}

static void it_does_not_grow_when_those_that_waited_were_taken(void **state)
{
	(void)state;
	begin(2, 100);
	hear_while_held(60);
	settle_when_due();
	view.accepted += 60; /* 60 others wait now */
	assert_false(settle_when_due());
	assert_int_equal(autoscale.wanted, 2);
}

static void it_does_not_grow_when_those_that_waited_have_given_up(void **state)
{
	(void)state;
	begin(2, 100);
	hear_while_held(60);
	view.waiting = 0;
	assert_false(settle_when_due());
	assert_false(settle_when_due());
	assert_int_equal(autoscale.wanted, 2);
}

static void a_stream_of_short_clients_does_not_make_it_grow(void **state)
{
	unsigned looks = 0;

	(void)state;
	begin(4, 100);
	while (now < START + 60 * SECOND) {
		if (autoscale.state == AUTOSCALE_WATCHES)
			hear(40);
		view.accepted += 40;
		assert_false(settle_when_due());
		looks++;
	}
	assert_int_equal(autoscale.wanted, 4);
	assert_true(looks <= 60 * 20);
}

static void after_a_look_that_found_workers_enough_it_rests(void **state)
{
	(void)state;
	begin(4, 100);
	hear(1);
	view.accepted++;
	assert_false(settle_after(10 * MS));
	assert_int_equal(autoscale.state, AUTOSCALE_RESTS);
	assert_int_equal(autoscale_deadline(&autoscale), now + 100 * MS);
	assert_false(settle_after(100 * MS));
	assert_int_equal(autoscale.state, AUTOSCALE_WATCHES);
	assert_int_equal(autoscale_deadline(&autoscale), CLOCK_NEVER);
}

static void a_thousand_are_wanted_a_fifth_of_a_second_after_a_thousand_came(
	void **state)
{
	(void)state;
	begin(2, 10000);
	view.waiting = 1000;
	serve_until(START + 200 * MS);
	assert_true(autoscale.wanted >= 1000 && autoscale.wanted < 2000);
	assert_int_equal(view.active, 1000);
}

static void while_some_that_are_wanted_are_missing_no_more_are_wanted(void **state)
{
	(void)state;
	begin(4, 100);
	hear_while_held(50);
	settle_when_due();
	settle_when_due();
	assert_int_equal(autoscale.wanted, 8);
	view.active = view.workers = 7;
	for (int i = 0; i < 10; i++)
		settle_when_due();
	assert_int_equal(autoscale.wanted, 8);
	view.active = view.workers = 8;
	settle_when_due();
	settle_when_due();
	assert_int_equal(autoscale.wanted, 16);
}

static void it_never_wants_more_than_the_most(void **state)
{
	(void)state;
	begin(2, 5);
	hold(3);
	assert_int_equal(autoscale.wanted, 4);
	hold(50);
	assert_int_equal(autoscale.wanted, 5);
	assert_int_equal(view.active, 5);
}

static void it_is_full_only_while_the_most_are_there_and_clients_wait(void **state)
{
	(void)state;
	begin(2, 4);
	hold(4);
	assert_int_equal(view.workers, 4);
	assert_false(autoscale.full);
	view.waiting = 1;
	hear(1);
	settle_when_due();
	assert_false(autoscale.full);
	settle_when_due();
	assert_true(autoscale.full);
	view.accepted++; /* one left, and the waiting one took its place */
	view.waiting = 0;
	settle_when_due();
	assert_false(autoscale.full);
	assert_int_equal(autoscale.state, AUTOSCALE_RESTS);
}

/* It only has to notice the end of the saturation. */
static void while_it_is_full_it_looks_less_than_twenty_times_a_second(void **state)
{
	(void)state;
	begin(2, 4);
	hold(5);
	assert_true(autoscale.full);
	assert_in_range(serve_until(now + 5 * SECOND), 5 * 10, 5 * 20 - 1);
	assert_true(autoscale.full);
}

static void while_all_are_held_and_no_client_waits_it_sleeps(void **state)
{
	(void)state;
	begin(4, 4);
	hold(4);
	assert_int_equal(autoscale_deadline(&autoscale), CLOCK_NEVER);
}

/* max_processes may be less than spare. */
static void where_the_least_are_more_than_the_most_it_is_full_when_those_are_busy(
	void **state)
{
	(void)state;
	begin(8, 2);
	view.workers = 2;
	hear_while_held(3);
	settle_when_due();
	settle_when_due();
	assert_true(autoscale.full);
	assert_int_equal(autoscale.retiring, 0);
}

static void ten_seconds_after_it_grew_those_that_were_not_needed_retire(void **state)
{
	(void)state;
	begin(2, 100);
	hold(40);
	assert_int_equal(view.workers, 64);
	leave(40);
	serve_until(START + 10 * SECOND);
	assert_int_equal(autoscale.wanted, 64);
	serve_until(START + 11 * SECOND);
	/* 40 were busy at once, and a quarter more are kept. */
	assert_int_equal(autoscale.wanted, 50);
	assert_int_equal(autoscale.retiring, 14);
}

static void after_another_ten_seconds_without_clients_the_least_are_left(void **state)
{
	int64_t first;

	(void)state;
	begin(2, 100);
	hold(40);
	leave(40);
	while (!settle_when_due())
		;
	first = now;
	view.workers = autoscale.wanted;
	assert_true(settle_when_due());
	assert_int_equal(now, first + 10 * SECOND);
	assert_int_equal(autoscale.wanted, 2);
	assert_int_equal(autoscale.retiring, 48);
	assert_int_equal(autoscale_deadline(&autoscale), CLOCK_NEVER);
}

static void those_that_have_clients_now_are_kept(void **state)
{
	(void)state;
	begin(2, 100);
	hold(16);
	view.workers = autoscale.wanted = 64;
	autoscale.busiest = 0;
	while (!settle_when_due())
		;
	assert_int_equal(autoscale.wanted, 20);
	assert_int_equal(autoscale.retiring, 44);
	assert_int_equal(autoscale_deadline(&autoscale), now + 10 * SECOND);
}

/* Otherwise a steady stream of clients would delay it for ever. */
static void growing_further_does_not_put_off_shrinking(void **state)
{
	int64_t due;

	(void)state;
	begin(2, 1000);
	hold(3);
	due = autoscale.shrink_at_us;
	assert_in_range(due, START + 10 * SECOND, START + 11 * SECOND);
	for (int i = 0; i < 8; i++)
		hold(20);
	assert_true(autoscale.wanted > 100);
	assert_int_equal(autoscale.shrink_at_us, due);
}

static void clients_that_wait_again_take_the_retiring_back(void **state)
{
	(void)state;
	begin(2, 100);
	hold(16);
	leave(16);
	while (!settle_when_due() || autoscale.wanted > 2)
		;
	assert_int_equal(autoscale.retiring, 14);
	/* All are still there: a worker leaves after its next connection. */
	view.active = view.accepted = 16;
	hear(3);
	assert_false(settle_when_due());
	assert_true(settle_when_due());
	assert_int_equal(autoscale.retiring, 0);
	assert_int_equal(autoscale.wanted, 32);
}

static void where_no_events_can_be_had_it_looks_by_the_clock(void **state)
{
	(void)state;
	begin(2, 100);
	view.waiting = 5;
	view.active = view.accepted = 2;
	autoscale_missed(&autoscale, &view, now);
	assert_int_equal(autoscale_deadline(&autoscale), now + 100 * MS);
	assert_false(settle_after(100 * MS));
	assert_true(settle_after(10 * MS));
	assert_int_equal(autoscale.wanted, 4);
}

static void after_a_stop_nothing_is_due_and_nothing_changes(void **state)
{
	(void)state;
	begin(2, 100);
	hold(16);
	view.waiting = 10;
	hear(10);
	autoscale_stop(&autoscale);
	assert_int_equal(autoscale_deadline(&autoscale), CLOCK_NEVER);
	assert_false(settle_after(3600 * SECOND));
	assert_int_equal(autoscale.wanted, 16);
	assert_int_equal(autoscale.state, AUTOSCALE_OFF);
}

static void what_is_due_first_is_the_deadline(void **state)
{
	(void)state;
	begin(2, 100);
	hold(4);
	assert_int_equal(autoscale_deadline(&autoscale), autoscale.shrink_at_us);
	hear(1);
	assert_int_equal(autoscale_deadline(&autoscale), now + 10 * MS);
	now = autoscale.shrink_at_us - 5 * MS;
	autoscale_missed(&autoscale, &view, now);
	assert_int_equal(autoscale_deadline(&autoscale), now + 5 * MS);
}

/* A worker that was broken into can write any number into its tally. */
static void a_count_that_goes_backwards_makes_no_more(void **state)
{
	(void)state;
	begin(2, 100);
	view.accepted = 1000;
	hear(50);
	view.accepted = 0;
	settle_when_due();
	settle_when_due();
	assert_int_equal(autoscale.wanted, 2);
}

static void a_lie_about_sessions_keeps_those_that_there_are(void **state)
{
	(void)state;
	begin(2, 100);
	hold(16);
	view.active = INT64_MAX;
	while (!settle_when_due())
		;
	assert_int_equal(autoscale.wanted, 16);
	assert_int_equal(autoscale.retiring, 0);
}

/* Small, large and huge numbers are equally likely. */
static uint64_t any_number(void)
{
	static uint64_t seed = 1;

	seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407U;
	return seed >> (seed >> 58);
}

static void whatever_it_is_told_it_wants_from_the_least_to_the_most(void **state)
{
	(void)state;
	begin(3, 50);
	for (int i = 0; i < 200000; i++) {
		view = (struct autoscale_view){
			.accepted = any_number(),
			.active = any_number(),
			.workers = (unsigned)(any_number() % 51),
			.waiting = (unsigned)any_number(),
		};
		now += (int64_t)(any_number() % (2 * SECOND));
		if (autoscale.state == AUTOSCALE_WATCHES)
			autoscale_heard(&autoscale, &view, now);
		autoscale_settle(&autoscale, &view, now);
		assert_in_range(autoscale.wanted, 3, 50);
		assert_true(autoscale.retiring <= 50 - 3);
		assert_true(autoscale_deadline(&autoscale) > now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(without_clients_nothing_is_ever_due),
		promise(twice_as_many_are_wanted_when_clients_still_wait_after_two_looks),
		promise(before_a_look_is_due_nothing_is_decided),
		promise(it_grows_while_not_all_of_those_that_waited_were_taken),
		promise(it_does_not_grow_when_those_that_waited_were_taken),
		promise(it_does_not_grow_when_those_that_waited_have_given_up),
		promise(a_stream_of_short_clients_does_not_make_it_grow),
		promise(after_a_look_that_found_workers_enough_it_rests),
		promise(a_thousand_are_wanted_a_fifth_of_a_second_after_a_thousand_came),
		promise(while_some_that_are_wanted_are_missing_no_more_are_wanted),
		promise(it_never_wants_more_than_the_most),
		promise(it_is_full_only_while_the_most_are_there_and_clients_wait),
		promise(while_it_is_full_it_looks_less_than_twenty_times_a_second),
		promise(while_all_are_held_and_no_client_waits_it_sleeps),
		promise(where_the_least_are_more_than_the_most_it_is_full_when_those_are_busy),
		promise(ten_seconds_after_it_grew_those_that_were_not_needed_retire),
		promise(after_another_ten_seconds_without_clients_the_least_are_left),
		promise(those_that_have_clients_now_are_kept),
		promise(growing_further_does_not_put_off_shrinking),
		promise(clients_that_wait_again_take_the_retiring_back),
		promise(where_no_events_can_be_had_it_looks_by_the_clock),
		promise(after_a_stop_nothing_is_due_and_nothing_changes),
		promise(what_is_due_first_is_the_deadline),
		promise(a_count_that_goes_backwards_makes_no_more),
		promise(a_lie_about_sessions_keeps_those_that_there_are),
		promise(whatever_it_is_told_it_wants_from_the_least_to_the_most),
	};

	return cmocka_run_group_tests_name("autoscale", tests, NULL, NULL);
}
