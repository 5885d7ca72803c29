/* A result for people: what was done, what failed, and a table of times. */
#ifndef PRONG_BENCH_TABLE_H
#define PRONG_BENCH_TABLE_H

#include "result.h"

/* Writes it to stdout. */
void table_print(const struct result *result);

#endif
