/*
 * Owns the loop: what is ready, what is overdue, what to begin next. It never
 * touches the bytes of a connection.
 */
#include "run.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "mode.h"
#include "nanoclock.h"

#define EVENTS 256
#define BUDGET 256 /* connections begun between two looks at events */

size_t run_active(const struct run *run)
{
	return run->processes - run->in_step[STEP_IDLE];
}

bool run_can_begin(const struct run *run)
{
	return run->started < run->total && run->idle && run->budget > 0;
}

bool run_stopped(const struct run *run)
{
	return atomic_load_explicit(&run->board->stop, memory_order_relaxed);
}

/* Workers take turns, so that together they keep the time that one would keep. */
uint64_t run_due(const struct run *run, uint64_t number)
{
	const struct plan *plan = run->plan;
	double nth = (double)number * plan->workers + plan->index;

	return run->base + (uint64_t)(nth * plan->interval);
}

void run_set_timer(struct run *run, uint64_t when)
{
	struct itimerspec timer = {
		.it_value = { .tv_sec = (time_t)(when / 1000000000),
			      .tv_nsec = (long)(when % 1000000000) },
	};

	if (run->armed == when)
		return;
	run->armed = when;
	timerfd_settime(run->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

void run_opened(struct run *run)
{
	run->figures->moments[MOMENT_OPENED] = nanoclock_now();
	run->figures->held = run->in_step[STEP_HELD];
	board_reach(run->board, run->row);
}

void run_clear_deadline(struct run *run, struct client *client)
{
	if (client->deadline == 0)
		return;
	chain_remove(&run->due, client);
	client->deadline = 0;
}

/* The timeout is the same for all, so the last to make progress is due last. */
void run_set_deadline(struct run *run, struct client *client, uint64_t now)
{
	run_clear_deadline(run, client);
	client->deadline = now + run->plan->timeout;
	chain_append(&run->due, client);
}

static void fail_overdue(struct run *run)
{
	uint64_t now;

	if (!run->due.first)
		return;
	now = nanoclock_now();
	while (run->due.first && run->due.first->deadline <= now)
		client_fail(run, run->due.first, FAILURE_TIMED_OUT);
}

/* A unix socket's queue makes no event when it has room, so ask every millisecond. */
static void knock_again(struct run *run)
{
	for (size_t i = 0; i < run->processes && run->in_step[STEP_KNOCK] > 0; i++)
		if (!client_knock(run, &run->clients[i]))
			return;
}

static int milliseconds_to_wait(const struct run *run)
{
	uint64_t until = run->stop_at > 0 ? run->stop_at : UINT64_MAX;
	uint64_t now;
	uint64_t wait;

	if (run->budget == 0)
		return 0;
	if (run->in_step[STEP_KNOCK] > 0)
		return 1;
	if (run->due.first && run->due.first->deadline < until)
		until = run->due.first->deadline;
	if (until == UINT64_MAX)
		return -1;
	now = nanoclock_now();
	if (until <= now)
		return 0;
	wait = (until - now) / 1000000 + 1;
	return wait < 60000 ? (int)wait : 60000;
}

/* What has no client, the timer and the board, is looked at on every turn anyway. */
static void wait_for_events(struct run *run)
{
	struct epoll_event events[EVENTS];
	int count =
		epoll_wait(run->epoll_fd, events, EVENTS, milliseconds_to_wait(run));

	for (int i = 0; i < count; i++)
		if (events[i].data.ptr)
			client_event(run, events[i].data.ptr, events[i].events);
}

/* The last gate is open: from here on the time runs. */
static void begin(struct run *run)
{
	run->base = atomic_load(&run->board->opened_at[run->mode->gates - 1]);
	if (run->plan->duration > 0 && run->mode->over)
		run->stop_at = run->base + run->plan->duration;
}

static void stop_when_time_is_over(struct run *run)
{
	if (run->stop_at == 0 || nanoclock_now() < run->stop_at)
		return;
	run->stop_at = 0;
	run->mode->over(run);
}

static void begin_what_may(struct run *run)
{
	run->budget = BUDGET;
	if (board_waits(run->board, run->row))
		return;
	if (run->base == 0 && atomic_load(&run->row->reached) == run->mode->gates)
		begin(run);
	stop_when_time_is_over(run);
	run->mode->start(run);
}

static bool finished(const struct run *run)
{
	return run->started == run->total && run_active(run) == 0 &&
	       !board_waits(run->board, run->row);
}

void run_all(struct run *run)
{
	uint64_t *ended = &run->figures->moments[MOMENT_ENDED];

	board_reach(run->board, run->row);
	while (!run_stopped(run)) {
		begin_what_may(run);
		if (finished(run))
			break;
		wait_for_events(run);
		fail_overdue(run);
		knock_again(run);
	}
	run->figures->unfinished = run_active(run);
	if (*ended == 0)
		*ended = nanoclock_now();
}

static int raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	return 0;
}

static int make_clients(struct run *run)
{
	run->clients = calloc(run->processes, sizeof(*run->clients));
	if (!run->clients && run->processes > 0)
		return -ENOMEM;
	for (size_t i = run->processes; i-- > 0;) {
		run->clients[i].fd = -1;
		run->clients[i].after = run->idle;
		run->idle = &run->clients[i];
	}
	run->in_step[STEP_IDLE] = run->processes;
	return 0;
}

/* Edge-triggered, so that they need not be read. */
static int watch(const struct run *run, int fd)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL };

	return epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int make_descriptors(struct run *run)
{
	int err;

	run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (run->epoll_fd < 0)
		return -errno;
	err = watch(run, run->board->to_workers);
	if (err < 0 || run->plan->interval <= 0)
		return err;
	run->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (run->timer_fd < 0)
		return -errno;
	return watch(run, run->timer_fd);
}

int run_open(struct run **out, const struct plan *plan, struct board *board)
{
	struct run *run = calloc(1, sizeof(*run));
	int err;

	if (!run)
		return -ENOMEM;
	run->plan = plan;
	run->mode = plan->mode;
	run->board = board;
	run->row = &board->rows[plan->index];
	run->figures = &run->row->figures;
	run->origin = plan->origin;
	run->epoll_fd = -1;
	run->timer_fd = -1;
	run->mode->plan(run);
	err = raise_descriptor_limit();
	if (err == 0)
		err = make_clients(run);
	if (err == 0)
		err = make_descriptors(run);
	if (err < 0) {
		run_close(run);
		return err;
	}
	*out = run;
	return 0;
}

/* The connections of a run that was stopped end with the process. */
void run_close(struct run *run)
{
	if (!run)
		return;
	if (run->timer_fd >= 0)
		close(run->timer_fd);
	if (run->epoll_fd >= 0)
		close(run->epoll_fd);
	free(run->clients);
	free(run);
}
