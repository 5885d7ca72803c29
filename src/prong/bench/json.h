/* A result as one line of JSON, for programs; prong-bench(1) explains its fields. */
#ifndef PRONG_BENCH_JSON_H
#define PRONG_BENCH_JSON_H

#include "result.h"

/* Writes it to stdout, with the distribution of the main part if asked for. */
void json_print(const struct result *result, bool histogram);

#endif
