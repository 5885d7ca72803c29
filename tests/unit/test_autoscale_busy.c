/* Whether clients wait for lack of workers, or for lack of processors. */
#include "growth.h"

#include "check.h"

/* They wait for processors, like the workers that have no client. */
static void on_a_busy_machine_clients_that_wait_do_not_make_it_grow(void **state)
{
	(void)state;
	begin(4, 100);
	for (int i = 0; i < 1000; i++) {
		view.active = (uint64_t)i % 4;
		view.accepted++;
		if (autoscale.state == AUTOSCALE_WATCHES)
			hear(20);
		assert_false(settle_when_due());
	}
	assert_int_equal(autoscale.wanted, 4);
	assert_false(autoscale.full);
}

/* All workers may have a client, and wait for a processor to serve it. */
static void a_look_that_comes_late_does_not_make_it_grow(void **state)
{
	(void)state;
	begin(4, 100);
	view.active = 4;
	for (int i = 0; i < 1000; i++) {
		view.accepted++;
		if (autoscale.state == AUTOSCALE_WATCHES)
			hear(20);
		assert_false(
			settle_after(autoscale_deadline(&autoscale) - now + 4 * MS));
	}
	assert_int_equal(autoscale.wanted, 4);
}

static void late_looks_at_clients_that_stay_make_it_grow_later(void **state)
{
	(void)state;
	begin(4, 100);
	hear_while_held(3);
	while (!settle_after(autoscale_deadline(&autoscale) - now + 4 * MS))
		assert_int_equal(autoscale.wanted, 4);
	assert_in_range(now, START + 400 * MS, START + 600 * MS);
	assert_int_equal(autoscale.wanted, 8);
}

static void one_worker_in_eight_may_be_without_a_client(void **state)
{
	(void)state;
	begin(16, 100);
	view.active = view.accepted = 14;
	hear(5);
	assert_false(settle_when_due());
	assert_true(settle_when_due());
	assert_int_equal(autoscale.wanted, 32);
}

static void with_one_that_is_free_more_it_does_not_grow_at_a_look(void **state)
{
	(void)state;
	begin(16, 100);
	view.active = view.accepted = 13;
	hear(5);
	assert_false(settle_when_due());
	assert_false(settle_when_due());
	assert_int_equal(autoscale.wanted, 16);
}

/* It then looks at most ten times a second. */
static void a_worker_that_is_free_is_given_time(void **state)
{
	(void)state;
	begin(4, 100);
	view.active = view.accepted = 2;
	hear(1);
	assert_false(settle_when_due());
	assert_int_equal(autoscale_deadline(&autoscale), now + 100 * MS);
	assert_int_equal(autoscale.state, AUTOSCALE_WAITED);
}

/* The worker was stopped, for example. Half a second without an accept shows it. */
static void workers_that_take_no_client_for_long_do_not_keep_others_out(void **state)
{
	(void)state;
	begin(3, 100);
	view.active = view.accepted = 2;
	hear(1);
	while (!settle_when_due())
		assert_int_equal(autoscale.wanted, 3);
	assert_in_range(now, START + 400 * MS, START + 600 * MS);
	assert_int_equal(autoscale.wanted, 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(on_a_busy_machine_clients_that_wait_do_not_make_it_grow),
		promise(a_look_that_comes_late_does_not_make_it_grow),
		promise(late_looks_at_clients_that_stay_make_it_grow_later),
		promise(one_worker_in_eight_may_be_without_a_client),
		promise(with_one_that_is_free_more_it_does_not_grow_at_a_look),
		promise(a_worker_that_is_free_is_given_time),
		promise(workers_that_take_no_client_for_long_do_not_keep_others_out),
	};

	return cmocka_run_group_tests_name("autoscale_busy", tests, NULL, NULL);
}
