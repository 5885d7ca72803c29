/* A worker that accepts its connections itself, without a supervisor around it. */
#include "engine/worker/accepting.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <string.h>
#include <unistd.h>

#include "base/listener.h"
#include "base/memory.h"
#include "check.h"
#include "child.h"
#include "engine/confine/privileges.h"
#include "engine/worker/worker.h"
#include "fake.h"
#include "running.h"

static struct listener listener;
static struct privileges *privileges;
static struct tally *tally;
static struct score_row *row;
static pid_t worker_pid;

static int open_worker(void **state)
{
	struct address_list list = { 0 };
	struct why why;
	int err = fake_open(state);

	if (err == 0)
		err = privileges_open(&privileges, NULL, false);
	if (err == 0)
		err = address_lookup(&list, "127.0.0.1:0", &why);
	if (err == 0)
		err = listener_open(&listener, &list.at[0], NULL, NULL);
	if (err == 0)
		err = listener_lend(&listener);
	tally = memory_shared(sizeof(*tally));
	row = scoreboard_row(&fake.processes.board, 0);
	return err;
}

static int close_worker(void **state)
{
	listener_close(&listener);
	memory_release(tally, sizeof(*tally));
	privileges_close(privileges);
	return fake_close(state);
}

static int work(void *supervisor)
{
	struct worker worker = {
		.settings = fake.settings,
		.handler = echo,
		.privileges = privileges,
		.row = row,
		.mark = scoreboard_mark(&fake.processes.board, 0),
		.supervisor = *(pid_t *)supervisor,
		.channel = -1,
		.listener = listener.fd,
		.tally = tally,
	};

	worker_main(&worker);
}

static void start_worker(unsigned reuse)
{
	pid_t supervisor = getpid();

	fake.settings.reuse = reuse;
	fake.settings.keep_fds = STDERR_FILENO + 1;
	worker_pid = child_start(work, &supervisor);
}

/* It must leave in order, and mark its row. */
static void expect_leaving(void)
{
	struct score_mark mark = scoreboard_mark(&fake.processes.board, 0);
	int status = child_wait(worker_pid);

	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	assert_true((score_read(mark.leaving) & mark.bit) != 0);
}

static int connect_to_it(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, &listener.address.any.sa, listener.address.length),
			 0);
	return fd;
}

/* A connection with five bytes each way, from start to end. */
static void visit(void)
{
	int fd = connect_to_it();

	echoes(fd);
	shutdown(fd, SHUT_WR);
	assert_int_equal(pair_drain(fd), 0);
	close(fd);
}

static void each_connection_and_its_bytes_are_counted(void **state)
{
	(void)state;
	start_worker(3);
	visit();
	visit();
	visit();
	expect_leaving();
	assert_int_equal(tally->accepted, 3);
	assert_int_equal(tally->closed[REASON_EOF], 3);
	assert_int_equal(tally->bytes_in, 3 * 5);
	assert_int_equal(tally->bytes_out, 3 * 5);
	/* Otherwise the supervisor would count them again if the worker were killed. */
	assert_int_equal(row->bytes_in, 0);
	assert_int_equal(row->bytes_out, 0);
}

static void a_connection_is_counted_while_it_is_open(void **state)
{
	int fd;

	(void)state;
	start_worker(1);
	fd = connect_to_it();
	echoes(fd);
	assert_int_equal(tally->accepted, 1);
	assert_int_equal(tally->closed[REASON_EOF], 0);
	assert_int_equal(row->bytes_in, 5);
	close(fd);
	expect_leaving();
}

static void one_that_retires_leaves_after_the_connection_that_it_has(void **state)
{
	int fd;

	(void)state;
	start_worker(PRONG_REUSE_ALWAYS);
	visit();
	fd = connect_to_it();
	echoes(fd);
	tally->retires = true;
	echoes(fd);
	close(fd);
	expect_leaving();
	assert_int_equal(tally->accepted, 2);
	assert_int_equal(tally->closed[REASON_EOF], 2);
}

/* It waits in accept(2); only a client wakes it. */
static void an_idle_one_that_retires_serves_one_client_more(void **state)
{
	(void)state;
	tally->retires = true;
	start_worker(PRONG_REUSE_ALWAYS);
	visit();
	expect_leaving();
	assert_int_equal(tally->accepted, 1);
}

/* The supervisor revokes it when clients wait again. */
static void one_that_is_not_to_retire_any_more_stays(void **state)
{
	int fd;

	(void)state;
	tally->retires = true;
	start_worker(PRONG_REUSE_ALWAYS);
	fd = connect_to_it();
	echoes(fd);
	tally->retires = false;
	close(fd);
	visit();
	listener_close(&listener);
	expect_leaving();
	assert_int_equal(tally->accepted, 2);
}

static void one_leaves_when_the_listener_is_shut(void **state)
{
	(void)state;
	start_worker(PRONG_REUSE_ALWAYS);
	visit();
	listener_close(&listener);
	expect_leaving();
	assert_int_equal(tally->accepted, 1);
}

#define with_worker(function) \
	cmocka_unit_test_setup_teardown(function, open_worker, close_worker)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_worker(each_connection_and_its_bytes_are_counted),
		with_worker(a_connection_is_counted_while_it_is_open),
		with_worker(one_that_retires_leaves_after_the_connection_that_it_has),
		with_worker(an_idle_one_that_retires_serves_one_client_more),
		with_worker(one_that_is_not_to_retire_any_more_stays),
		with_worker(one_leaves_when_the_listener_is_shut),
	};

	return cmocka_run_group_tests_name("accepting", tests, NULL, NULL);
}
