#include "run.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "mode.h"
#include "nanoclock.h"

size_t run_active(const struct run *run)
{
	return run->processes - run->in_step[STEP_IDLE];
}

bool run_all_held(const struct run *run)
{
	return run->started == run->total && run_active(run) == run->in_step[STEP_HELD];
}

bool run_can_begin(const struct run *run)
{
	return run->started < run->total && run->idle && run->budget > 0;
}

bool run_stopped(const struct run *run)
{
	return atomic_load_explicit(&run->board->stop, memory_order_relaxed);
}

/*
 * Workers take turns, so that together they keep the same schedule as one worker would.
 */
uint64_t run_due_ns(const struct run *run, uint64_t number)
{
	const struct plan *plan = run->plan;
	double nth = (double)number * plan->workers + plan->index;

	return run->base_ns + (uint64_t)(nth * plan->interval_ns);
}

void run_set_timer(struct run *run, uint64_t when_ns)
{
	struct itimerspec timer = {
		.it_value = { .tv_sec = (time_t)(when_ns / 1000000000),
			      .tv_nsec = (long)(when_ns % 1000000000) },
	};

	if (run->armed_ns == when_ns)
		return;
	run->armed_ns = when_ns;
	timerfd_settime(run->timer_fd, TFD_TIMER_ABSTIME, &timer, NULL);
}

void run_opened(struct run *run)
{
	run->figures->moments_ns[MOMENT_OPENED] = nanoclock_now_ns();
	run->figures->held = run->in_step[STEP_HELD];
	board_reach(run->board, run->row);
}

void run_clear_deadline(struct run *run, struct client *client)
{
	if (client->deadline_ns == 0)
		return;
	chain_remove(&run->due, client);
	client->deadline_ns = 0;
}

/*
 * The timeout is the same for all clients, so the last one to make progress is due
 * last.
 */
void run_set_deadline(struct run *run, struct client *client, uint64_t now_ns)
{
	run_clear_deadline(run, client);
	client->deadline_ns = now_ns + run->plan->timeout_ns;
	chain_append(&run->due, client);
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
	if (err < 0 || run->plan->interval_ns <= 0)
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
