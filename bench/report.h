/*
 * The result of a run, for programs to read.
 *
 * Owns the form of the one line; README.md says what its fields mean.
 */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

struct run;

/* Write one JSON object on one line of stdout. Returns 0, or -EIO if it cannot. */
int report_print(const struct run *run);

#endif
