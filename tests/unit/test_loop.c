#include "base/loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/time.h>
#include <sys/timerfd.h>

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"

#define MANY 200 /* more than one wait of the loop reports */

static struct loop loop;

struct told {
	void *owner;
	unsigned calls, index;
	uint32_t events;
	int64_t now_us;
};

static struct told told[MANY];

static void tell(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct told *at = &told[index];

	*at = (struct told){ owner, at->calls + 1, index, events, now_us };
}

static int open_loop(void **state)
{
	note_what_is_open(state);
	memset(told, 0, sizeof(told));
	return loop_open(&loop);
}

static int close_loop(void **state)
{
	loop_close(&loop);
	return nothing_is_left(state);
}

/* Looks at what is ready, without waiting. */
static void look(void)
{
	assert_int_equal(loop_wait(&loop, 0), 0);
}

static void an_owner_is_told_which_descriptor_is_ready_and_for_what(void **state)
{
	int owner, pipes[2][2];
	struct watch watch[] = { { tell, &owner, 3 }, { tell, &watch, 7 } };
	int64_t before_us = clock_now_us();

	(void)state;
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_int_equal(loop_add(&loop, pipes[i][0], EPOLLIN, &watch[i]), 0);
	}
	assert_int_equal(write(pipes[0][1], "x", 1), 1);
	look();
	assert_int_equal(told[3].calls, 1);
	assert_int_equal(told[7].calls, 0);
	assert_ptr_equal(told[3].owner, &owner);
	assert_int_equal(told[3].events, EPOLLIN);
	assert_true(before_us <= told[3].now_us && told[3].now_us <= clock_now_us());
	close(pipes[1][1]);
	look();
	assert_int_equal(told[3].calls, 2);
	assert_ptr_equal(told[7].owner, &watch);
	assert_int_equal(told[7].events, EPOLLHUP); /* which was not asked for */
	close(pipes[0][1]);
	for (int i = 0; i < 2; i++) {
		loop_remove(&loop, pipes[i][0]);
		close(pipes[i][0]);
	}
}

/* As when a child has one. */
static void a_removed_descriptor_tells_nothing_though_a_copy_lives(void **state)
{
	struct watch watch = { tell, NULL, 0 };
	int fd = eventfd(1, 0), copy = dup(fd);

	(void)state;
	assert_int_equal(loop_add(&loop, fd, EPOLLIN, &watch), 0);
	assert_int_equal(loop.watched, 1);
	look();
	assert_int_equal(told[0].calls, 1);
	loop_remove(&loop, fd);
	assert_int_equal(loop.watched, 0);
	close(fd);
	look();
	assert_int_equal(told[0].calls, 1);
	assert_true(loop.quiet);
	close(copy);
}

static void only_what_is_watched_counts_as_watched(void **state)
{
	struct watch watch = { tell, NULL, 0 };
	int fd = eventfd(0, 0);

	(void)state;
	assert_int_equal(loop_add(&loop, 10000, EPOLLIN, &watch), -EBADF);
	loop_remove(&loop, fd);
	assert_int_equal(loop.watched, 0);
	assert_int_equal(loop_add(&loop, fd, EPOLLIN, &watch), 0);
	assert_int_equal(loop_add(&loop, fd, EPOLLIN, &watch), -EEXIST);
	assert_int_equal(loop.watched, 1);
	loop_remove(&loop, fd);
	close(fd);
}

static unsigned count_told(void)
{
	unsigned count = 0;

	for (unsigned i = 0; i < MANY; i++)
		count += told[i].calls > 0;
	return count;
}

/* All of them stay ready, so each wait could find the same ones. */
static void all_that_had_happened_by_heard_us_has_been_told(void **state)
{
	struct watch watch[MANY];
	int fds[MANY], looks = 0;
	int64_t happened_us, first_us = 0;

	(void)state;
	for (unsigned i = 0; i < MANY; i++) {
		watch[i] = (struct watch){ tell, NULL, i };
		fds[i] = eventfd(1, 0);
		assert_int_equal(loop_add(&loop, fds[i], EPOLLIN, &watch[i]), 0);
	}
	happened_us = clock_now_us();
	do {
		assert_true(looks++ < 10);
		look();
		if (looks == 1)
			first_us = clock_now_us();
		assert_false(loop.quiet);
		if (count_told() < MANY)
			assert_true(loop.heard_us < happened_us);
	} while (loop.heard_us < happened_us);
	assert_int_equal(count_told(), MANY);
	/* What happens between the looks may still be unreported. */
	assert_true(loop.heard_us <= first_us);
	for (unsigned i = 0; i < MANY; i++) {
		loop_remove(&loop, fds[i]);
		close(fds[i]);
	}
}

static void a_wait_that_finds_nothing_is_quiet_and_has_heard_all(void **state)
{
	struct watch watch = { tell, NULL, 0 };
	int64_t before_us = clock_now_us();
	int fd = eventfd(1, 0);

	(void)state;
	assert_int_equal(loop_add(&loop, fd, EPOLLIN, &watch), 0);
	look();
	assert_false(loop.quiet);
	assert_true(loop.heard_us >= before_us);
	loop_remove(&loop, fd);
	before_us = clock_now_us();
	look();
	assert_true(loop.quiet);
	assert_true(loop.heard_us >= before_us);
	close(fd);
}

static void a_wait_does_not_end_before_its_deadline(void **state)
{
	int64_t deadline_us = clock_now_us() + 2500;

	(void)state;
	assert_int_equal(loop_wait(&loop, deadline_us), 0);
	assert_true(clock_now_us() >= deadline_us);
}

static void owners_are_told_the_time_after_the_wait(void **state)
{
	struct itimerspec in_2_ms = { .it_value.tv_nsec = 2000000 };
	struct watch watch = { tell, NULL, 0 };
	int timer = timerfd_create(CLOCK_MONOTONIC, 0);
	int64_t due_us = clock_now_us() + 2000;

	(void)state;
	assert_int_equal(loop_add(&loop, timer, EPOLLIN, &watch), 0);
	assert_int_equal(timerfd_settime(timer, 0, &in_2_ms, NULL), 0);
	assert_int_equal(loop_wait(&loop, CLOCK_NEVER), 0);
	assert_int_equal(told[0].calls, 1);
	assert_true(told[0].now_us >= due_us);
	loop_remove(&loop, timer);
	close(timer);
}

static void ignore(int number)
{
	(void)number;
}

/* The timer repeats, so that one of its signals comes while the loop waits. */
static void a_wait_that_a_signal_interrupts_has_not_failed(void **state)
{
	struct itimerval timer = { { 0, 5000 }, { 0, 5000 } }, off = { 0 };
	int64_t heard_us;

	(void)state;
	look();
	heard_us = loop.heard_us;
	signal(SIGALRM, ignore);
	setitimer(ITIMER_REAL, &timer, NULL);
	assert_int_equal(loop_wait(&loop, CLOCK_NEVER), 0);
	setitimer(ITIMER_REAL, &off, NULL);
	signal(SIGALRM, SIG_DFL);
	assert_int_equal(loop.heard_us, heard_us);
}

static void a_wait_that_fails_says_why(void **state)
{
	struct loop closed = { .fd = -1 };

	(void)state;
	assert_int_equal(loop_wait(&closed, 0), -EBADF);
	assert_int_equal(closed.heard_us, 0);
	loop_close(&closed);
}

#define with_loop(function) \
	cmocka_unit_test_setup_teardown(function, open_loop, close_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_loop(an_owner_is_told_which_descriptor_is_ready_and_for_what),
		with_loop(a_removed_descriptor_tells_nothing_though_a_copy_lives),
		with_loop(only_what_is_watched_counts_as_watched),
		with_loop(all_that_had_happened_by_heard_us_has_been_told),
		with_loop(a_wait_that_finds_nothing_is_quiet_and_has_heard_all),
		with_loop(a_wait_does_not_end_before_its_deadline),
		with_loop(owners_are_told_the_time_after_the_wait),
		with_loop(a_wait_that_a_signal_interrupts_has_not_failed),
		with_loop(a_wait_that_fails_says_why),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
