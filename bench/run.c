/*
 * Owns the loop: what is ready, what is overdue, what to begin next. It never
 * touches the bytes of a connection and never stops before all are counted.
 */
#include "run.h"

#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "mode.h"

#define EVENTS    256
#define SPARE_FDS 16 /* stdio, epoll, timer, and what was inherited */

uint64_t run_clock(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

size_t run_active(const struct run *run)
{
	return run->slots - run->in_step[STEP_IDLE];
}

uint64_t run_failed(const struct run *run)
{
	uint64_t sum = 0;

	for (int i = 0; i < FAILURE_COUNT; i++)
		sum += run->failures[i];
	return sum;
}

void run_clear_deadline(struct run *run, struct client *client)
{
	if (client->deadline == 0)
		return;
	if (client->before)
		client->before->after = client->after;
	else
		run->first_due = client->after;
	if (client->after)
		client->after->before = client->before;
	else
		run->last_due = client->before;
	client->before = client->after = NULL;
	client->deadline = 0;
}

/* The timeout is the same for all, so the last to make progress is due last. */
void run_set_deadline(struct run *run, struct client *client, uint64_t now)
{
	run_clear_deadline(run, client);
	client->deadline = now + run->timeout;
	client->before = run->last_due;
	if (run->last_due)
		run->last_due->after = client;
	else
		run->first_due = client;
	run->last_due = client;
}

static void fail_overdue(struct run *run)
{
	uint64_t now;

	if (!run->first_due)
		return;
	now = run_clock();
	while (run->first_due && run->first_due->deadline <= now)
		client_fail(run, run->first_due, FAILURE_TIMED_OUT);
}

/* A unix socket's queue makes no event when it has room, so ask every millisecond. */
static void knock_again(struct run *run)
{
	for (size_t i = 0; i < run->slots && run->in_step[STEP_KNOCK] > 0; i++)
		if (!client_knock(run, &run->clients[i]))
			return;
}

static int milliseconds_to_wait(const struct run *run)
{
	uint64_t now;
	uint64_t wait;

	if (run->in_step[STEP_KNOCK] > 0)
		return 1;
	if (!run->first_due)
		return -1;
	now = run_clock();
	if (run->first_due->deadline <= now)
		return 0;
	wait = (run->first_due->deadline - now) / 1000000 + 1;
	return wait < 60000 ? (int)wait : 60000;
}

static void wait_for_events(struct run *run)
{
	struct epoll_event events[EVENTS];
	int count =
		epoll_wait(run->epoll_fd, events, EVENTS, milliseconds_to_wait(run));

	for (int i = 0; i < count; i++) {
		struct client *client = events[i].data.ptr;

		if (client)
			client_event(run, client, events[i].events);
		else if (run->mode->woken)
			run->mode->woken(run);
	}
}

static bool finished(const struct run *run)
{
	return run->started == run->total && run_active(run) == 0 && !run->paused;
}

void run_all(struct run *run)
{
	run->clock_start = run_clock();
	for (;;) {
		run->mode->start(run);
		if (finished(run))
			break;
		wait_for_events(run);
		fail_overdue(run);
		knock_again(run);
	}
	if (run->clock_stop == 0)
		run->clock_stop = run_clock();
}

static int raise_descriptor_limit(size_t slots)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		return -errno;
	return limit.rlim_cur < slots + SPARE_FDS ? -EMFILE : 0;
}

static int make_clients(struct run *run)
{
	run->clients = calloc(run->slots, sizeof(*run->clients));
	if (!run->clients)
		return -ENOMEM;
	for (size_t i = run->slots; i-- > 0;) {
		run->clients[i].fd = -1;
		run->clients[i].after = run->idle;
		run->idle = &run->clients[i];
	}
	run->in_step[STEP_IDLE] = run->slots;
	return 0;
}

/* Edge-triggered, so that the timer need not be read. */
static int make_descriptors(struct run *run)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET, .data.ptr = NULL };

	run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (run->epoll_fd < 0)
		return -errno;
	if (run->options->rate <= 0)
		return 0;
	run->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (run->timer_fd < 0)
		return -errno;
	if (epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, run->timer_fd, &event) < 0)
		return -errno;
	return 0;
}

int run_open(struct run **out, const struct options *options)
{
	struct run *run = calloc(1, sizeof(*run));
	int err;

	if (!run)
		return -ENOMEM;
	run->options = options;
	run->mode = options->mode;
	run->source = options->source;
	run->timeout = (uint64_t)(options->timeout * 1e9);
	run->epoll_fd = -1;
	run->timer_fd = -1;
	run->mode->plan(run);
	err = raise_descriptor_limit(run->slots);
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
