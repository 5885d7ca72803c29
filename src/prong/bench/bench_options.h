/* The command line of prong bench: its table, and what that fills in. */
#ifndef PRONG_BENCH_OPTIONS_H
#define PRONG_BENCH_OPTIONS_H

#include "base/number.h"
#include "base/option.h"
#include "origin.h"

#define BENCH_NOT_GIVEN (-1) /* of duration_ms, of which 0 is a value */

/* 0 is "not given" where nothing else is said: what it then is depends on the mode. */
struct bench_settings {
	bool churn, keep, stream;
	uint64_t hold;
	uint64_t concurrency, size_bytes, count;
	int64_t duration_ms;
	int64_t timeout_ms;
	struct number_rate rate;
	struct origin origin;
	unsigned processes;
	bool wait, json, histogram;
};

extern const struct option_page bench_page;

#endif
