/* Rates, and the token bucket that counts with one number. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/number.h"
#include "engine/admit/rate.h"
#include "fuzz.h"

static bool is_same(const struct number_rate *a, const struct number_rate *b)
{
	return a->count == b->count && a->period_ms == b->period_ms &&
	       a->burst == b->burst;
}

static void check_rate(const struct number_rate *rate)
{
	struct number_rate again = { 0 };
	char text[64];

	CHECK(rate->count >= 1 && rate->count <= NUMBER_RATE_MAX);
	CHECK(rate->burst >= 1 && rate->burst <= NUMBER_RATE_MAX);
	CHECK(rate->period_ms >= 1 && rate->period_ms <= NUMBER_RATE_PERIOD_MAX_MS);
	snprintf(text, sizeof(text), "%u/%" PRId64 "ms:%u", rate->count,
		 rate->period_ms, rate->burst);
	CHECK(number_parse_rate(text, &again) == 0 && is_same(&again, rate));
}

/*
 * A full bucket gives its burst at once, and no more. Large bursts take too long here.
 */
static void empty_bucket(const struct number_rate *parsed)
{
	int64_t interval_ns = parsed->period_ms * 1000000 / parsed->count;
	int64_t now_ns = rate_clock_ns(INT64_C(1000000000));
	struct rate rate = { .interval_ns = interval_ns };
	int64_t full_at_ns = 0;
	unsigned taken = 0;

	if (parsed->burst > 1000)
		return;
	rate.allowance_ns = interval_ns * (parsed->burst - 1);
	while (taken <= parsed->burst && rate_allows(&rate, full_at_ns, now_ns)) {
		full_at_ns = rate_take(&rate, full_at_ns, now_ns);
		taken++;
	}
	CHECK(taken == parsed->burst);
	CHECK(rate_allows(&rate, full_at_ns, now_ns + interval_ns));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	struct number_rate rate = { 0 };

	if (number_parse_rate(text, &rate) == 0) {
		check_rate(&rate);
		empty_bucket(&rate);
	} else {
		CHECK(is_same(&rate, &(struct number_rate){ 0 }));
	}
	free(text);
	return 0;
}
