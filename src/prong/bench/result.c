#include "result.h"

#include "mode.h"

const struct quantile result_quantiles[RESULT_QUANTILES] = {
	{ "p50", "p50", 0.5 },      { "p90", "p90", 0.9 }, { "p99", "p99", 0.99 },
	{ "p99.9", "p999", 0.999 }, { "max", "max", 1 },
};

const char *const result_part_names[PART_COUNT] = {
	[PART_CONNECT] = "connect",
	[PART_FIRST] = "first",
	[PART_WHOLE] = "whole",
	[PART_ROUND] = "round",
};

uint64_t result_between_ns(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns > 0 && to_ns > from_ns ? to_ns - from_ns : 0;
}

uint64_t result_time_ns(const struct result *result)
{
	uint64_t from_ns = result->plan->mode == &mode_keep ? result->went_on_ns
							    : result->begun_ns;

	return result_between_ns(from_ns, result->figures.moments_ns[MOMENT_ENDED]);
}

double result_per_second(uint64_t count, uint64_t ns)
{
	return ns > 0 ? (double)count / ((double)ns / 1e9) : 0;
}

const struct histogram *result_main_part(const struct result *result, const char **name)
{
	for (int part = PART_COUNT - 1; part >= 0; part--) {
		const struct histogram *times = &result->figures.parts[part];

		if (times->count == 0 || !(result->plan->mode->parts & (1U << part)))
			continue;
		*name = result_part_names[part];
		return times;
	}
	return NULL;
}

bool result_is_clean(const struct result *result)
{
	return figures_failed(&result->figures) == 0 && result->lost == 0 &&
	       result->signo == 0;
}
