/* churn and stream: one connection after the other. */
#include "mode.h"

#include "connection.h"
#include "nanoclock.h"
#include "run.h"

static void plan_connections(struct run *run)
{
	const struct plan *plan = run->plan;

	run->total = plan->count;
	run->processes = (size_t)(plan->concurrency < plan->count ? plan->concurrency
								  : plan->count);
}

/*
 * If all clients are busy the next connection begins late; its wait counts as latency.
 */
static void start_due(struct run *run)
{
	uint64_t now_ns = nanoclock_now_ns();

	while (run_can_begin(run) && run_due_ns(run, run->started) <= now_ns)
		connection_open(run, run_due_ns(run, run->started));
	if (run_can_begin(run))
		run_set_timer(run, run_due_ns(run, run->started));
}

static void start_connections(struct run *run)
{
	if (run->plan->interval_ns > 0)
		start_due(run);
	else
		connection_open_some(run, run->processes);
}

static void stop_beginning(struct run *run)
{
	run->total = run->started;
}

/* Ends streams without a size. */
static void cut_streams(struct run *run)
{
	stop_beginning(run);
	if (run->plan->bytes != PLAN_UNBOUNDED)
		return;
	for (size_t i = 0; i < run->processes; i++)
		connection_cut(run, &run->clients[i]);
}

const struct mode mode_churn = {
	.name = "churn",
	.units = "connections",
	.takes = MODE_TAKES_RATE | MODE_TAKES_COUNT,
	.concurrency = 16,
	.rate_concurrency = 10000,
	.bytes = 64,
	.count = 10000,
	.parts = MODE_TIMES(PART_CONNECT) | MODE_TIMES(PART_FIRST) |
		 MODE_TIMES(PART_WHOLE),
	.gates = 1,
	.talks_at_once = true,
	.plan = plan_connections,
	.start = start_connections,
	.exchanged = connection_finish,
	.ended = connection_count,
	.over = stop_beginning,
};

const struct mode mode_stream = {
	.name = "stream",
	.units = "connections",
	.takes = MODE_TAKES_COUNT,
	.concurrency = 1,
	.bytes = 64 << 20,
	.parts = MODE_TIMES(PART_CONNECT) | MODE_TIMES(PART_FIRST) |
		 MODE_TIMES(PART_WHOLE),
	.gates = 1,
	.talks_at_once = true,
	.shuts_when_sent = true,
	.plan = plan_connections,
	.start = start_connections,
	.exchanged = connection_finish,
	.ended = connection_count,
	.over = cut_streams,
};
