/*
 * The worker processes of a run: forks, synchronizes, watches and reaps them. Owns them
 * and the board. The workers die with the process that started them.
 */
#ifndef PRONG_BENCH_CREW_H
#define PRONG_BENCH_CREW_H

#include "result.h"

/*
 * Runs the plan in plan->workers processes, and fills in the result except target.
 * Meanwhile it shows a line of progress on stderr, if that is a terminal. A signal in
 * interrupts, from interrupt_open(), stops the run. Failures of workers are reported on
 * stderr.
 *
 * Returns 0 when all have ended, or a negative errno if it could not start; nothing is
 * left then.
 */
int crew_run(struct result *result, const struct plan *plan, int interrupts);

#endif
