/* Makes a plan from the command line: the mode, and the mode's defaults. */
#ifndef PRONG_BENCH_PLANNER_H
#define PRONG_BENCH_PLANNER_H

#include "base/address.h"
#include "bench_options.h"
#include "plan.h"

/*
 * Makes a plan for target from settings that option_parse() has filled. If the settings
 * are impossible it says so on stderr and exits with 2.
 */
void planner_make(struct plan *out, const struct bench_settings *settings,
		  const struct address *target);

#endif
