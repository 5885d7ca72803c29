#include "crew.h"

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prong/common/command.h"
#include "prong/common/interrupt.h"
#include "base/die.h"
#include "bench_options.h"
#include "board.h"
#include "live.h"
#include "loop.h"
#include "mode.h"
#include "nanoclock.h"
#include "run.h"

#define FIXED 3 /* descriptors to wait for, besides those of the workers */

struct worker {
	pid_t pid;
	int pidfd; /* -1: the worker has been reaped */
};

struct crew {
	const struct plan *plan;
	struct board *board;
	struct result *result;
	struct live live;
	int interrupts;
	unsigned living;
	uint64_t hold_until_ns; /* hold; 0: not holding yet, or until a line comes */
	bool reads_stdin;
	struct pollfd *ready;
	struct worker workers[];
};

/* A worker's whole life. */
static _Noreturn void work(const struct crew *crew, unsigned index, pid_t first)
{
	struct plan share = plan_share(crew->plan, index);
	struct run *run;
	int err;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != first)
		_exit(EXIT_FAILED);
	err = run_open(&run, &share, crew->board);
	if (err < 0) {
		command_say(&bench_page, "cannot start: %s", strerror(-err));
		_exit(EXIT_FAILED);
	}
	loop_run(run);
	run_close(run);
	_exit(0);
}

static int start_worker(struct crew *crew, unsigned index)
{
	struct worker *worker = &crew->workers[index];
	pid_t first = getpid();
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0)
		work(crew, index, first);
	worker->pid = pid;
	worker->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (worker->pidfd >= 0) {
		crew->living++;
		return 0;
	}
	pid = -errno;
	kill(worker->pid, SIGKILL);
	waitpid(worker->pid, NULL, 0);
	return pid;
}

static void kill_all(const struct crew *crew)
{
	for (unsigned i = 0; i < crew->plan->workers; i++)
		if (crew->workers[i].pidfd >= 0)
			kill(crew->workers[i].pid, SIGKILL);
}

static void tell_lost(struct crew *crew, const struct worker *worker, int status)
{
	crew->result->lost++;
	live_erase(&crew->live);
	if (WIFSIGNALED(status))
		command_say(&bench_page,
			    "load process %d was killed by SIG%s: its figures up to "
			    "then are counted",
			    worker->pid, interrupt_name(WTERMSIG(status)));
	else
		command_say(&bench_page, "load process %d failed", worker->pid);
}

static void collect(struct crew *crew, unsigned index)
{
	struct worker *worker = &crew->workers[index];
	uint64_t *ended_ns = &crew->board->rows[index].figures.moments_ns[MOMENT_ENDED];
	int status = 0;

	while (waitpid(worker->pid, &status, 0) < 0 && errno == EINTR)
		;
	close(worker->pidfd);
	worker->pidfd = -1;
	crew->living--;
	if (status == 0)
		return;
	if (*ended_ns == 0)
		*ended_ns = nanoclock_now_ns();
	tell_lost(crew, worker, status);
}

/* Whether every living worker waits at the next gate. */
static bool all_wait(const struct crew *crew)
{
	unsigned open = atomic_load(&crew->board->open);

	if (open == crew->plan->mode->gates)
		return false;
	for (unsigned i = 0; i < crew->plan->workers; i++)
		if (crew->workers[i].pidfd >= 0 &&
		    atomic_load(&crew->board->rows[i].reached) <= open)
			return false;
	return true;
}

static void tell_held(struct crew *crew)
{
	uint64_t held = 0;

	for (unsigned i = 0; i < crew->plan->workers; i++)
		held += crew->board->rows[i].figures.held;
	live_erase(&crew->live);
	printf("held %" PRIu64 "\n", held);
	fflush(stdout);
}

/* All connections are held. Returns whether the time for that is over. */
static bool hold_is_over(struct crew *crew)
{
	const struct plan *plan = crew->plan;
	uint64_t now_ns = nanoclock_now_ns();

	if (crew->hold_until_ns == 0) {
		crew->hold_until_ns =
			plan->wait ? UINT64_MAX : now_ns + plan->duration_ns;
		crew->reads_stdin = plan->wait;
		if (plan->wait)
			tell_held(crew);
	}
	return now_ns >= crew->hold_until_ns;
}

static void open_gates(struct crew *crew)
{
	while (crew->living > 0 && all_wait(crew)) {
		bool opened = atomic_load(&crew->board->open) == GATE_OPENED;

		if (opened && crew->plan->mode == &mode_hold && !hold_is_over(crew))
			return;
		board_open_gate(crew->board);
	}
}

/* A line of the input, or its end, ends the hold. */
static void take_input(struct crew *crew)
{
	char text[256];
	ssize_t length = read(STDIN_FILENO, text, sizeof(text));

	if (length < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (length > 0 && !memchr(text, '\n', (size_t)length))
		return;
	crew->reads_stdin = false;
	crew->hold_until_ns = nanoclock_now_ns();
}

/* Workers end by themselves; those that do not are killed at the next signal. */
static void take_interrupt(struct crew *crew)
{
	int signo = interrupt_take(crew->interrupts);

	if (signo == 0)
		return;
	if (crew->result->signo != 0) {
		kill_all(crew);
		return;
	}
	crew->result->signo = signo;
	live_erase(&crew->live);
	command_say(&bench_page, "interrupted by SIG%s", interrupt_name(signo));
	board_stop(crew->board);
}

static int milliseconds_to_wait(const struct crew *crew)
{
	int live_ms = live_timeout_ms(&crew->live);
	uint64_t now_ns;
	uint64_t left_ms;
	int hold_ms;

	if (crew->hold_until_ns == 0 || crew->hold_until_ns == UINT64_MAX)
		return live_ms;
	now_ns = nanoclock_now_ns();
	left_ms = crew->hold_until_ns > now_ns
			  ? (crew->hold_until_ns - now_ns) / 1000000 + 1
			  : 0;
	/* Once the gate is open, the first process only waits for the workers. */
	if (atomic_load(&crew->board->open) == GATES)
		return live_ms;
	hold_ms = left_ms < 60000 ? (int)left_ms : 60000;
	return live_ms < 0 || hold_ms < live_ms ? hold_ms : live_ms;
}

static void wait_for_events(struct crew *crew)
{
	struct pollfd *ready = crew->ready;
	unsigned workers = crew->plan->workers;
	eventfd_t count;

	ready[0] = (struct pollfd){ .fd = crew->interrupts, .events = POLLIN };
	ready[1] = (struct pollfd){ .fd = crew->board->to_first, .events = POLLIN };
	ready[2] = (struct pollfd){ .fd = crew->reads_stdin ? STDIN_FILENO : -1,
				    .events = POLLIN };
	for (unsigned i = 0; i < workers; i++)
		ready[FIXED + i] = (struct pollfd){ .fd = crew->workers[i].pidfd,
						    .events = POLLIN };
	if (poll(ready, FIXED + workers, milliseconds_to_wait(crew)) <= 0)
		return;
	if (ready[0].revents != 0)
		take_interrupt(crew);
	if (ready[1].revents != 0)
		eventfd_read(crew->board->to_first, &count);
	if (ready[2].revents != 0)
		take_input(crew);
	for (unsigned i = 0; i < workers; i++)
		if (ready[FIXED + i].revents != 0)
			collect(crew, i);
}

static void watch_over(struct crew *crew)
{
	while (crew->living > 0) {
		live_show(&crew->live, crew->board);
		wait_for_events(crew);
		open_gates(crew);
	}
}

static int start_all(struct crew *crew)
{
	for (unsigned i = 0; i < crew->plan->workers; i++) {
		int err = start_worker(crew, i);

		if (err == 0)
			continue;
		kill_all(crew);
		while (i-- > 0)
			waitpid(crew->workers[i].pid, NULL, 0);
		return err;
	}
	return 0;
}

static void fill_result(struct crew *crew)
{
	struct board *board = crew->board;
	struct result *result = crew->result;

	result->plan = crew->plan;
	result->begun_ns = atomic_load(&board->opened_at_ns[GATE_START]);
	result->went_on_ns = atomic_load(&board->opened_at_ns[GATE_OPENED]);
	for (unsigned i = 0; i < board->rows_count; i++)
		figures_merge(&result->figures, &board->rows[i].figures);
}

static int make_crew(struct crew **out, const struct plan *plan)
{
	size_t workers = plan->workers;
	struct crew *crew = calloc(1, sizeof(*crew) + workers * sizeof(struct worker));
	struct pollfd *ready = calloc(FIXED + workers, sizeof(*ready));
	struct board *board;
	int err = crew && ready ? board_open(&board, plan->workers) : -ENOMEM;

	if (err < 0) {
		free(crew);
		free(ready);
		return err;
	}
	crew->plan = plan;
	crew->board = board;
	crew->ready = ready;
	for (size_t i = 0; i < workers; i++)
		crew->workers[i].pidfd = -1;
	*out = crew;
	return 0;
}

int crew_run(struct result *result, const struct plan *plan, int interrupts)
{
	struct crew *crew;
	int err = make_crew(&crew, plan);

	if (err < 0)
		return err;
	crew->result = result;
	crew->interrupts = interrupts;
	err = start_all(crew);
	if (err == 0)
		err = live_open(&crew->live, plan);
	if (err == 0) {
		watch_over(crew);
		live_close(&crew->live);
		fill_result(crew);
	}
	board_close(crew->board);
	free(crew->ready);
	free(crew);
	return err;
}
