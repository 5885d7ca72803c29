/*
 * hold: opens all connections at once, with an echo when each is opened and another one
 * after they were held. Only some of them are in progress at a time; otherwise the
 * server's queue would be measured, or overflow.
 */
#include "mode.h"

#include "connection.h"
#include "nanoclock.h"
#include "run.h"

enum stage { STAGE_OPENING, STAGE_ECHOING, STAGE_CLOSING };

static void plan_held(struct run *run)
{
	run->total = run->plan->count;
	run->processes = (size_t)run->plan->count;
}

static void echo_again(struct run *run, struct client *client)
{
	connection_exchange(run, client, nanoclock_now_ns());
}

/* Makes all held clients act, some at a time. Returns whether all have. */
static bool sweep(struct run *run, void (*act)(struct run *run, struct client *client))
{
	while (run->cursor < run->processes &&
	       run_active(run) - run->in_step[STEP_HELD] < run->plan->under_way) {
		struct client *client = &run->clients[run->cursor++];

		if (client->step == STEP_HELD)
			act(run, client);
	}
	return run->cursor == run->processes && run_all_held(run);
}

static void start_held(struct run *run)
{
	switch ((enum stage)run->stage) {
	case STAGE_OPENING:
		connection_open_some(run, run->plan->under_way);
		if (!run_all_held(run))
			return;
		run->stage = STAGE_ECHOING;
		run_opened(run);
		return;
	case STAGE_ECHOING:
		if (!sweep(run, echo_again))
			return;
		run->figures->moments_ns[MOMENT_ECHOED] = nanoclock_now_ns();
		run->stage = STAGE_CLOSING;
		run->cursor = 0;
		sweep(run, connection_finish);
		return;
	case STAGE_CLOSING:
		sweep(run, connection_finish);
		return;
	}
}

const struct mode mode_hold = {
	.name = "hold",
	.units = "connections",
	.takes = MODE_TAKES_WAIT,
	.bytes = 64,
	.parts = MODE_TIMES(PART_CONNECT) | MODE_TIMES(PART_FIRST) |
		 MODE_TIMES(PART_ROUND),
	.gates = 2,
	.talks_at_once = true,
	.plan = plan_held,
	.start = start_held,
	.exchanged = connection_hold,
	.ended = connection_count,
};
