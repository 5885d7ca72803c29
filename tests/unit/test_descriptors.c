/* The limit of descriptors: counted, raised while needed, restored. */
#include "engine/supervisor/descriptors.h"

#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "child.h"

static int set_soft(rlim_t soft)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -1;
	limit.rlim_cur = soft;
	return setrlimit(RLIMIT_NOFILE, &limit);
}

static rlim_t get_soft(void)
{
	struct rlimit limit = { 0 };

	getrlimit(RLIMIT_NOFILE, &limit);
	return limit.rlim_cur;
}

static int raise_and_restore(void *arg)
{
	struct descriptors descriptors;

	(void)arg;
	child_must(set_soft(50) == 0);
	descriptors_count(&descriptors, 1, 3);
	descriptors.processes = 200;
	descriptors.lingering = 10;
	descriptors_raise(&descriptors);
	child_must(get_soft() > 250);
	descriptors_restore(&descriptors);
	child_must(get_soft() == 50);
	/* A limit that was not raised is not restored. */
	child_must(set_soft(60) == 0);
	descriptors_restore(&descriptors);
	child_must(get_soft() == 60);
	return 0;
}

static int leave_a_high_limit(void *arg)
{
	struct descriptors descriptors;
	rlim_t soft = 600;

	(void)arg;
	child_must(set_soft(soft) == 0);
	descriptors_count(&descriptors, 1, 3);
	descriptors_raise(&descriptors);
	child_must(get_soft() == soft && !descriptors.raised);
	return 0;
}

/* Counts what is open already, and what will be opened below keep_fds. */
static int count_what_is_open(void *arg)
{
	struct descriptors before, after;

	(void)arg;
	descriptors_count(&before, 1, 3);
	for (int i = 0; i < 7; i++)
		child_must(dup(0) >= 0);
	descriptors_count(&after, 3, 3);
	child_must(after.own == before.own + 7 + 2);
	descriptors_count(&before, 3, 100);
	child_must(before.own > after.own);
	child_must(fcntl(99, F_GETFD) < 0);
	child_must(dup2(0, 99) == 99);
	descriptors_count(&after, 3, 100);
	child_must(after.own == before.own);
	return 0;
}

static int tell_what_is_missing(void *arg)
{
	struct rlimit limit = { 80, 80 };
	struct descriptors descriptors;
	struct shortage shortage;
	struct why why = { "" };

	(void)arg;
	child_must(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	descriptors_count(&descriptors, 1, 3);
	child_must(descriptors_check(&descriptors, &why) == 0);
	child_must(!descriptors_are_short(&descriptors, &shortage));
	descriptors.processes = 80;
	child_must(descriptors_check(&descriptors, &why) == 0);
	child_must(descriptors_are_short(&descriptors, &shortage));
	child_must(shortage.limit == 80 && shortage.needed == descriptors.own + 80);
	descriptors.kept = 80;
	child_must(descriptors_check(&descriptors, &why) == -EMFILE);
	child_must(strstr(why.text, "(RLIMIT_NOFILE), 80, is too low") != NULL);
	child_must(strstr(why.text, "LimitNOFILE=") != NULL);
	child_must(strstr(why.text, "...") == NULL);
	return 0;
}

static void in_a_child(int (*function)(void *arg))
{
	struct child_end end;

	child_run(&end, function, NULL);
	print_message("# %s\n", end.text);
	assert_int_equal(end.status, 0);
}

static void the_soft_limit_is_raised_and_put_back(void **state)
{
	(void)state;
	in_a_child(raise_and_restore);
}

static void a_high_limit_is_left_alone(void **state)
{
	(void)state;
	in_a_child(leave_a_high_limit);
}

static void descriptors_that_are_open_already_are_counted(void **state)
{
	(void)state;
	in_a_child(count_what_is_open);
}

static void a_hard_limit_that_is_too_low_is_told(void **state)
{
	(void)state;
	in_a_child(tell_what_is_missing);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(the_soft_limit_is_raised_and_put_back),
		promise(a_high_limit_is_left_alone),
		promise(descriptors_that_are_open_already_are_counted),
		promise(a_hard_limit_that_is_too_low_is_told),
	};

	return cmocka_run_group_tests_name("descriptors", tests, NULL, NULL);
}
