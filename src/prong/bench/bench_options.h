/* The command line of prong bench: its table, and the settings that it fills in. */
#ifndef PRONG_BENCH_OPTIONS_H
#define PRONG_BENCH_OPTIONS_H

#include "base/number.h"
#include "base/option.h"
#include "origin.h"

#define BENCH_NOT_GIVEN (-1) /* of duration_ms, for which 0 is a value */

/* Unless noted, 0 means "not given"; the default then depends on the mode. */
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
