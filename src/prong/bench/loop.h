/*
 * A worker's loop: what is ready, what is overdue, what to begin next. It never touches
 * the bytes of a connection.
 */
#ifndef PRONG_BENCH_LOOP_H
#define PRONG_BENCH_LOOP_H

#include "run.h"

/*
 * Do all of the run, in step with the others at the board's gates: return when every
 * connection has ended or failed, and is counted, or when the board says stop.
 */
void loop_run(struct run *run);

#endif
