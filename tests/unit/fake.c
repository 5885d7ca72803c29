#include "fake.h"

#include <sys/socket.h>

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "check.h"

struct fake fake;

/* Replaces kill(2). */
static int record(pid_t pid, int number)
{
	if (pid < 0 && fake.no_groups)
		return -ESRCH;
	assert_true(fake.sent_count < FAKE_SENT_MAX);
	fake.sent[fake.sent_count++] = (struct sent){ pid, number };
	return pid > 0 ? fake.refusal : 0;
}

static pid_t group_of(pid_t pid)
{
	return fake.has_left ? 1 : pid;
}

static const struct group_calls calls = { record, group_of };

int fake_open(void **state)
{
	note_what_is_open(state);
	memset(&fake, 0, sizeof(fake));
	if (loop_open(&fake.loop) < 0 ||
	    processes_open(&fake.processes, &fake.loop, FAKE_SLOTS) < 0 ||
	    log_open(&fake.report.log, -1, keep, &fake.log) < 0)
		return -1;
	fake.report.log.most = LOG_DEBUG;
	fake.report.notify.fd = -1;
	fake.processes.calls = &calls;
	linger_open(&fake.lingering, &fake.loop, 1024 * 1024);
	fake.sessions = (struct sessions){
		.settings = &fake.settings,
		.policy = &fake.policy,
		.lingering = &fake.lingering,
		.report = &fake.report,
	};
	return 0;
}

int fake_close(void **state)
{
	for (unsigned i = 0; i < fake.processes.touched; i++)
		process_drop_channel(&fake.processes, &fake.processes.at[i]);
	linger_finish(&fake.lingering);
	log_close(&fake.report.log);
	processes_close(&fake.processes);
	loop_close(&fake.loop);
	return nothing_is_left(state);
}

struct process *fake_process(pid_t pid, enum process_state state, int64_t now_us)
{
	struct process *process = process_take(&fake.processes);

	assert_non_null(process);
	process_occupy(&fake.processes, process, pid, state, now_us);
	return process;
}

struct pair fake_channel(struct process *process)
{
	struct pair pair = pair_unix();

	process->channel = pair.server;
	return pair;
}

void expect_sent(pid_t pid, int number)
{
	assert_int_equal(fake.sent_count, 1);
	assert_int_equal(fake.sent[0].pid, pid);
	assert_int_equal(fake.sent[0].number, number);
	fake.sent_count = 0;
}

void expect_killed(pid_t pid)
{
	assert_int_equal(fake.sent_count, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(fake.sent[i].pid, i == 0 ? -pid : pid);
		assert_int_equal(fake.sent[i].number, SIGKILL);
	}
	fake.sent_count = 0;
}

void expect_nothing_sent(void)
{
	assert_int_equal(fake.sent_count, 0);
}

void expect_end(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), 0);
}

void expect_open(int fd)
{
	char byte;

	assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
}
