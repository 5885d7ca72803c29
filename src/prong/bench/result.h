/* The result of a run, of all its workers together. */
#ifndef PRONG_BENCH_RESULT_H
#define PRONG_BENCH_RESULT_H

#include "figures.h"
#include "plan.h"

struct result {
	const struct plan *plan;
	char target[ADDRESS_TEXT_MAX];
	uint64_t begun_ns;   /* by nanoclock_now_ns(); 0: not begun */
	uint64_t went_on_ns; /* keep and hold: after all were open */
	unsigned lost;       /* workers that died */
	int signo;           /* the signal that interrupted it; 0: none */
	struct figures figures;
};

/* ns between two moments; 0 if one of them has not come yet. */
uint64_t result_between_ns(uint64_t from_ns, uint64_t to_ns);

/*
 * The ns in which ok were completed; in keep they count from when all connections are
 * open.
 */
uint64_t result_time_ns(const struct result *result);

/* The rate per second of count in this many ns; 0 if ns is 0. */
double result_per_second(uint64_t count, uint64_t ns);

/*
 * The part whose times say most about what has been measured so far: the longest ones.
 * NULL if there are none; name receives its name.
 */
const struct histogram *result_main_part(const struct result *result,
					 const char **name);

/* Whether nothing failed, no worker died, and the run went to its end. */
bool result_is_clean(const struct result *result);

/* The quantiles that are reported, and the parts, by enum part. */
struct quantile {
	const char *title, *name; /* in the table; in the JSON */
	double share;
};

#define RESULT_QUANTILES 5

extern const struct quantile result_quantiles[RESULT_QUANTILES];
extern const char *const result_part_names[PART_COUNT];

#endif
