#include "loop.h"

#include <sys/epoll.h>

#include "connection.h"
#include "mode.h"
#include "nanoclock.h"

#define EVENTS 256
#define BUDGET 256 /* connections begun before events are looked at again */

static void fail_overdue(struct run *run)
{
	uint64_t now_ns;

	if (!run->due.first)
		return;
	now_ns = nanoclock_now_ns();
	while (run->due.first && run->due.first->deadline_ns <= now_ns)
		connection_fail(run, run->due.first, FAILURE_TIMED_OUT);
}

/*
 * A UNIX socket reports no event when its queue has room, so it is tried every
 * millisecond.
 */
static void knock_again(struct run *run)
{
	for (size_t i = 0; i < run->processes && run->in_step[STEP_KNOCK] > 0; i++)
		if (!connection_knock(run, &run->clients[i]))
			return;
}

static int milliseconds_to_wait(const struct run *run)
{
	uint64_t until_ns = run->stop_at_ns > 0 ? run->stop_at_ns : UINT64_MAX;
	uint64_t now_ns;
	uint64_t wait_ms;

	if (run->budget == 0)
		return 0;
	if (run->in_step[STEP_KNOCK] > 0)
		return 1;
	if (run->due.first && run->due.first->deadline_ns < until_ns)
		until_ns = run->due.first->deadline_ns;
	if (until_ns == UINT64_MAX)
		return -1;
	now_ns = nanoclock_now_ns();
	if (until_ns <= now_ns)
		return 0;
	wait_ms = (until_ns - now_ns) / 1000000 + 1;
	return wait_ms < 60000 ? (int)wait_ms : 60000;
}

/* The timer and the board have no client, and are looked at on every turn anyway. */
static void wait_for_events(struct run *run)
{
	struct epoll_event events[EVENTS];
	int count =
		epoll_wait(run->epoll_fd, events, EVENTS, milliseconds_to_wait(run));

	for (int i = 0; i < count; i++)
		if (events[i].data.ptr)
			connection_event(run, events[i].data.ptr, events[i].events);
}

/* The last gate is open: the time of the run begins. */
static void begin(struct run *run)
{
	run->base_ns = atomic_load(&run->board->opened_at_ns[run->mode->gates - 1]);
	if (run->plan->duration_ns > 0 && run->mode->over)
		run->stop_at_ns = run->base_ns + run->plan->duration_ns;
}

static void stop_when_time_is_over(struct run *run)
{
	if (run->stop_at_ns == 0 || nanoclock_now_ns() < run->stop_at_ns)
		return;
	run->stop_at_ns = 0;
	run->mode->over(run);
}

static void begin_what_may(struct run *run)
{
	run->budget = BUDGET;
	if (board_waits(run->board, run->row))
		return;
	if (run->base_ns == 0 && atomic_load(&run->row->reached) == run->mode->gates)
		begin(run);
	stop_when_time_is_over(run);
	run->mode->start(run);
}

static bool finished(const struct run *run)
{
	return run->started == run->total && run_active(run) == 0 &&
	       !board_waits(run->board, run->row);
}

void loop_run(struct run *run)
{
	uint64_t *ended_ns = &run->figures->moments_ns[MOMENT_ENDED];

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
	if (*ended_ns == 0)
		*ended_ns = nanoclock_now_ns();
}
