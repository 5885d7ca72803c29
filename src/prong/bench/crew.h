/*
 * The worker processes of a run: forked, kept in step, watched, collected. Owns them
 * and the board. The workers die with the process that started them.
 */
#ifndef PRONG_BENCH_CREW_H
#define PRONG_BENCH_CREW_H

#include "result.h"

/*
 * Run the plan in plan->workers processes, and fill in the result but for target. A
 * line is kept on stderr meanwhile, if that is a terminal. A signal in interrupts, of
 * interrupt_open(), stops it. What goes wrong with a worker is told on stderr.
 *
 * Returns 0 when all have ended, or a negative errno if it could not start; then
 * nothing is left behind.
 */
int crew_run(struct result *result, const struct plan *plan, int interrupts);

#endif
