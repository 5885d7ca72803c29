/*
 * Owns the two kinds of load that are one connection after the other, churn and
 * stream, and what the others have in common with them.
 */
#include "mode.h"
#include "nanoclock.h"

void mode_open_some(struct run *run, uint64_t limit)
{
	while (run_can_begin(run) && run_active(run) - run->in_step[STEP_HELD] < limit)
		client_open(run, nanoclock_now());
}

bool mode_all_held(const struct run *run)
{
	return run->started == run->total && run_active(run) == run->in_step[STEP_HELD];
}

void mode_exchange(struct run *run, struct client *client, uint64_t begun)
{
	client_exchange(run, client, run->plan->bytes, begun);
}

void mode_count(struct run *run, struct client *client)
{
	struct figures *figures = run->figures;

	histogram_add(&figures->parts[PART_WHOLE], nanoclock_now() - client->begun);
	figures->ok++;
}

static void plan_connections(struct run *run)
{
	const struct plan *plan = run->plan;

	run->total = plan->count;
	run->processes = (size_t)(plan->concurrency < plan->count ? plan->concurrency
								  : plan->count);
}

/* If all clients are busy the next is late, and what it waits counts as latency. */
static void start_due(struct run *run)
{
	uint64_t now = nanoclock_now();

	while (run_can_begin(run) && run_due(run, run->started) <= now)
		client_open(run, run_due(run, run->started));
	if (run_can_begin(run))
		run_set_timer(run, run_due(run, run->started));
}

static void start_connections(struct run *run)
{
	if (run->plan->interval > 0)
		start_due(run);
	else
		mode_open_some(run, run->processes);
}

static void stop_beginning(struct run *run)
{
	run->total = run->started;
}

/* Streams without end end here. */
static void cut_streams(struct run *run)
{
	stop_beginning(run);
	if (run->plan->bytes != PLAN_UNBOUNDED)
		return;
	for (size_t i = 0; i < run->processes; i++)
		client_cut(run, &run->clients[i]);
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
	.exchanged = client_finish,
	.ended = mode_count,
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
	.exchanged = client_finish,
	.ended = mode_count,
	.over = cut_streams,
};
