/*
 * Neighbours of a part of the supervisor, for the test of that part. They are the real
 * ones, but no process exists: the test invents pids and the time, signals are recorded
 * instead of sent, and the log is kept.
 */
#ifndef UNIT_FAKE_H
#define UNIT_FAKE_H

#include "engine/admit/policy.h"
#include "engine/supervisor/linger.h"
#include "engine/supervisor/process.h"
#include "engine/supervisor/report.h"
#include "kept.h"
#include "pair.h"

#define FAKE_SLOTS    100
#define FAKE_SENT_MAX 256

/* A signal that would have been sent with kill(2). */
struct sent {
	pid_t pid; /* negative: to the process group */
	int number;
};

struct fake {
	struct loop loop;
	struct processes processes;
	struct settings settings;
	struct policy policy; /* admits every client, counts nothing */
	struct lingering lingering;
	struct sessions sessions;
	struct report report; /* logs everything, down to LOG_DEBUG */
	struct kept log;

	struct sent sent[FAKE_SENT_MAX];
	unsigned sent_count;
	bool no_groups; /* no process group exists yet */
	bool has_left;  /* every process has left its group */
	int refusal;    /* result for a process itself; a negative errno, or 0 */
};

extern struct fake fake;

/* A test with these neighbours. It must leave no child and no descriptor. */
#define faked(function) cmocka_unit_test_setup_teardown(function, fake_open, fake_close)

int fake_open(void **state);
int fake_close(void **state);

/* Takes a slot for an invented process, in that state since now_us. */
struct process *fake_process(pid_t pid, enum process_state state, int64_t now_us);

/*
 * Gives the process a channel, the pair's server end. The caller closes the other end.
 */
struct pair fake_channel(struct process *process);

/* Expects that exactly this signal was sent since the last call. */
void expect_sent(pid_t pid, int number);
/* Expects exactly SIGKILL, to the process and to its group. */
void expect_killed(pid_t pid);
void expect_nothing_sent(void);

/* Expects that the other end of fd has ended its sending, with nothing left to read. */
void expect_end(int fd);

/* Expects that the other end has neither sent nor ended. */
void expect_open(int fd);

#endif
