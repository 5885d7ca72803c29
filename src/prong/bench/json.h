/* A result as one line of JSON, for programs; prong-bench(1) says what its fields mean. */
#ifndef PRONG_BENCH_JSON_H
#define PRONG_BENCH_JSON_H

#include "result.h"

/* Write it to stdout; with the distribution of the main part, if asked. */
void json_print(const struct result *result, bool histogram);

#endif
