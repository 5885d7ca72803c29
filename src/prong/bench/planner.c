#include "planner.h"

#include <sys/resource.h>

#include "mode.h"
#include "run.h"

#define UNDER_WAY 256 /* connections that keep and hold open at once by default */

static const struct mode *choose_mode(const struct bench_settings *settings)
{
	const struct {
		bool asked;
		const struct mode *mode;
	} choices[] = {
		{ settings->churn, &mode_churn },
		{ settings->keep, &mode_keep },
		{ settings->hold > 0, &mode_hold },
		{ settings->stream, &mode_stream },
	};
	const struct mode *chosen = NULL;

	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (!choices[i].asked)
			continue;
		if (chosen)
			option_die(&bench_page, "--%s and --%s cannot be combined",
				   chosen->name, choices[i].mode->name);
		chosen = choices[i].mode;
	}
	return chosen ? chosen : &mode_churn;
}

/* Checks that the options have an effect in this mode. */
static void check_taken(const struct bench_settings *settings, const struct mode *mode)
{
	const struct {
		const char *name;
		bool given;
		unsigned bit;
	} options[] = {
		{ "rate", settings->rate.count > 0, MODE_TAKES_RATE },
		{ "count", settings->count > 0, MODE_TAKES_COUNT },
		{ "wait", settings->wait, MODE_TAKES_WAIT },
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		if (options[i].given && !(mode->takes & options[i].bit))
			option_die(&bench_page, "--%s has no effect with --%s",
				   options[i].name, mode->name);
	if (settings->wait && settings->duration_ms != BENCH_NOT_GIVEN)
		option_die(&bench_page, "--wait and --duration cannot be combined");
	if (settings->duration_ms == 0 && mode != &mode_hold)
		option_die(&bench_page, "--duration: 0 leaves no time for anything");
	if (settings->timeout_ms == 0)
		option_die(&bench_page, "--timeout: 0 leaves no time for anything");
}

/* How many starts are due before the time is over; the first one is due at once. */
static uint64_t count_due(const struct number_rate *rate, int64_t duration_ms)
{
	uint64_t period_ms = (uint64_t)rate->period_ms;

	return ((uint64_t)duration_ms * rate->count + period_ms - 1) / period_ms;
}

static void bound_open_loop(struct plan *plan, const struct bench_settings *settings)
{
	const struct number_rate *rate = &settings->rate;
	int64_t duration_ms = settings->duration_ms;
	uint64_t due;

	plan->interval_ns = (double)rate->period_ms * 1e6 / rate->count;
	if (duration_ms == BENCH_NOT_GIVEN && settings->count > 0) {
		plan->count = settings->count;
		return;
	}
	if (duration_ms == BENCH_NOT_GIVEN)
		duration_ms = MODE_DURATION_MS;
	due = count_due(rate, duration_ms);
	plan->count =
		settings->count > 0 && settings->count < due ? settings->count : due;
}

static void bound_closed_loop(struct plan *plan, const struct bench_settings *settings)
{
	bool timed = settings->duration_ms != BENCH_NOT_GIVEN;

	if (timed)
		plan->duration_ns = (uint64_t)settings->duration_ms * 1000000;
	if (plan->mode == &mode_stream && timed && settings->size_bytes == 0)
		plan->bytes = PLAN_UNBOUNDED;
	if (settings->count > 0)
		plan->count = settings->count;
	else if (plan->mode == &mode_hold)
		plan->count = settings->hold;
	else if (plan->bytes == PLAN_UNBOUNDED)
		plan->count = plan->concurrency; /* none ends before the time is over */
	else if (timed)
		plan->count = PLAN_UNBOUNDED;
	else
		plan->count =
			plan->mode->count > 0 ? plan->mode->count : plan->concurrency;
	if (plan->mode == &mode_hold && !timed && !plan->wait)
		plan->duration_ns = (uint64_t)MODE_DURATION_MS * 1000000;
}

/* Each process needs at least one connection, or it has nothing to do. */
static void choose_concurrency(struct plan *plan, const struct bench_settings *settings)
{
	uint64_t given = settings->concurrency;
	uint64_t usual = settings->rate.count > 0 ? plan->mode->rate_concurrency
						  : plan->mode->concurrency;

	if (given > 0 && given < plan->workers)
		option_die(&bench_page,
			   "--processes %u is more than --concurrency "
			   "%llu",
			   plan->workers, (unsigned long long)given);
	if (usual < plan->workers)
		usual = plan->workers;
	plan->concurrency = given > 0 ? given : usual;
	plan->under_way = UNDER_WAY;
	if (plan->mode != &mode_hold)
		return;
	if (settings->hold < plan->workers)
		option_die(&bench_page, "--processes %u is more than --hold %llu",
			   plan->workers, (unsigned long long)settings->hold);
	plan->under_way = given > 0 ? given : UNDER_WAY;
	plan->concurrency = settings->hold;
}

static uint64_t descriptors_for_connections(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_max < RUN_SPARE_FDS)
		return 0;
	return limit.rlim_max - RUN_SPARE_FDS;
}

/* Reduces a default to what is possible, but refuses a given value that is not. */
static void check_descriptors(struct plan *plan, const struct bench_settings *settings)
{
	uint64_t room = descriptors_for_connections();
	uint64_t at_once =
		plan->concurrency < plan->count ? plan->concurrency : plan->count;

	if (plan->mode == &mode_keep)
		at_once = plan->concurrency;
	if (room == 0 || (at_once + plan->workers - 1) / plan->workers <= room)
		return;
	if (settings->concurrency > 0 || plan->mode == &mode_hold)
		option_die(&bench_page,
			   "%llu connections at once are too many for one process, "
			   "which may open %llu (ulimit -Hn): use at least "
			   "--processes %llu",
			   (unsigned long long)at_once, (unsigned long long)room,
			   (unsigned long long)((at_once + room - 1) / room));
	plan->concurrency = room * plan->workers;
}

void planner_make(struct plan *out, const struct bench_settings *settings,
		  const struct address *target)
{
	const struct mode *mode = choose_mode(settings);
	struct plan plan = {
		.mode = mode,
		.target = *target,
		.origin = settings->origin,
		.bytes = settings->size_bytes > 0 ? settings->size_bytes : mode->bytes,
		.timeout_ns = (uint64_t)settings->timeout_ms * 1000000,
		.wait = settings->wait,
		.workers = settings->processes,
	};

	check_taken(settings, mode);
	if (plan.origin.count > 0 && address_family(target) != AF_INET)
		option_die(&bench_page, "--sources works only with an IPv4 server");
	choose_concurrency(&plan, settings);
	if (settings->rate.count > 0)
		bound_open_loop(&plan, settings);
	else
		bound_closed_loop(&plan, settings);
	check_descriptors(&plan, settings);
	*out = plan;
}
