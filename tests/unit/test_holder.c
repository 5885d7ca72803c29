#include "base/holder.h"

#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "check.h"

static int pair[2];
static pid_t child; /* it has both ends, and waits to be killed */

static int open_pair(void **state)
{
	note_what_is_open(state);
	return socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
}

static void end_child(void)
{
	if (child > 0) {
		kill(child, SIGKILL);
		assert_int_equal(waitpid(child, NULL, 0), child);
	}
	child = 0;
}

static int close_pair(void **state)
{
	end_child();
	close(pair[0]);
	close(pair[1]);
	return nothing_is_left(state);
}

/*
 * A child for which pair[0] is also descriptor number stream (-1: it is not); the child
 * is ready on return.
 */
static void start_child(int stream)
{
	int ready[2];
	char byte;

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (child == 0) {
		if (stream >= 0)
			dup2(pair[0], stream);
		if (write(ready[1], "", 1) < 0)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
}

static ino_t inode_of(int fd)
{
	struct stat status;

	assert_int_equal(fstat(fd, &status), 0);
	return status.st_ino;
}

static void each_standard_stream_is_seen(void **state)
{
	(void)state;
	for (int stream = 0; stream < 3; stream++) {
		start_child(stream);
		assert_int_equal(holder_has_stream(child, pair[0]), 1);
		assert_int_equal(holder_has_stream(child, pair[1]), 0);
		end_child();
	}
}

static void a_copy_elsewhere_is_no_stream(void **state)
{
	(void)state;
	start_child(-1);
	assert_int_equal(holder_has_stream(child, pair[0]), 0);
}

static void a_process_that_is_gone_cannot_be_asked(void **state)
{
	pid_t gone;

	(void)state;
	start_child(0);
	gone = child;
	end_child();
	assert_int_equal(holder_has_stream(gone, pair[0]), -ESRCH);
}

static void a_holder_is_found_among_all_processes_and_only_while_it_holds(void **state)
{
	struct holding holdings[] = { { inode_of(pair[0]), 0 },
				      { inode_of(pair[1]), 0 },
				      { 1, 99 } };

	(void)state;
	start_child(-1);
	assert_int_equal(holders_find(holdings, 3), 0);
	assert_int_equal(holdings[0].pid, child);
	assert_int_equal(holdings[1].pid, child);
	assert_int_equal(holdings[2].pid, 0);
	end_child();
	assert_int_equal(holders_find(holdings, 3), 0);
	assert_int_equal(holdings[0].pid, 0);
}

/*
 * In a process of its own, since the view of the file system changes. Returns -errno.
 */
static int find_without_proc(void)
{
	struct holding holding = { 1, 0 };
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (unshare(CLONE_NEWNS) < 0 ||
		    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
		    umount2("/proc", MNT_DETACH) < 0)
			_exit(EPERM);
		_exit(-holders_find(&holding, 1));
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return -WEXITSTATUS(status);
}

/* Its directory still exists, and is empty. */
static void where_proc_is_not_mounted_nothing_is_known(void **state)
{
	int err = find_without_proc();

	(void)state;
	if (err == -EPERM)
		skip_because("/proc may not be unmounted");
	assert_int_equal(err, -ENOENT);
}

static void a_copy_can_be_had_back_from_a_holder(void **state)
{
	char byte = 0;
	int fd;

	(void)state;
	start_child(-1);
	fd = holder_copy(child, inode_of(pair[0]));
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(pair[1], &byte, 1), 1);
	assert_int_equal(byte, 'x');
	close(fd);
	assert_int_equal(holder_copy(child, 1), -ENOENT);
}

static void a_last_copy_is_told_from_one_that_others_have_too(void **state)
{
	int probe = epoll_create1(EPOLL_CLOEXEC);
	int alone[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, alone), 0);
	assert_true(holder_close_last(&probe, alone[0]));
	close(alone[1]);
	for (int i = 0; i < 2; i++) {
		int copy = dup(pair[0]);

		assert_false(holder_close_last(&probe, copy));
		assert_true(probe >= 0);
		assert_int_equal(fcntl(copy, F_GETFD), -1);
	}
	close(probe);
}

#define with_pair(function) \
	cmocka_unit_test_setup_teardown(function, open_pair, close_pair)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_pair(each_standard_stream_is_seen),
		with_pair(a_copy_elsewhere_is_no_stream),
		with_pair(a_process_that_is_gone_cannot_be_asked),
		with_pair(
			a_holder_is_found_among_all_processes_and_only_while_it_holds),
		with_pair(where_proc_is_not_mounted_nothing_is_known),
		with_pair(a_copy_can_be_had_back_from_a_holder),
		with_pair(a_last_copy_is_told_from_one_that_others_have_too),
	};

	return cmocka_run_group_tests_name("holder", tests, NULL, NULL);
}
