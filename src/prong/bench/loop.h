/*
 * A worker's loop: handles what is ready and what is overdue, and begins what is next.
 * It never touches the bytes of a connection.
 */
#ifndef PRONG_BENCH_LOOP_H
#define PRONG_BENCH_LOOP_H

#include "run.h"

/*
 * Does the whole run, in step with the other workers at the board's gates. Returns when
 * every connection has ended or failed, and is counted, or when the board says stop.
 */
void loop_run(struct run *run);

#endif
