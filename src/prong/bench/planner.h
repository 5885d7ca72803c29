/* Works out a plan from the command line: the mode, and what is left to the mode. */
#ifndef PRONG_BENCH_PLANNER_H
#define PRONG_BENCH_PLANNER_H

#include "base/address.h"
#include "bench_options.h"
#include "plan.h"

/*
 * Work out a plan for target from settings that option_parse() has filled. What cannot
 * be is told on stderr, and the program exits with 2.
 */
void planner_make(struct plan *out, const struct bench_settings *settings,
		  const struct address *target);

#endif
