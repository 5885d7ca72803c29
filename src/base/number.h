/*
 * Numbers as users type them. Strict: no sign, no white space, nothing after the
 * number, no silent overflow. Never prints.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdint.h>

/* The longest duration that is accepted: ten years. */
#define NUMBER_DURATION_MAX_MS INT64_C(315360000000)

#define NUMBER_RATE_MAX           1000000  /* of both counts */
#define NUMBER_RATE_PERIOD_MAX_MS 86400000 /* a day */

/*
 * Reads a decimal number from min to max. Returns 0; -EINVAL if text is not a number;
 * -ERANGE if it is outside that range.
 */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/*
 * Reads a size in bytes: a number, optionally followed by K, M, G or T for a power of
 * 1024. Returns 0; -EINVAL if malformed; -ERANGE if it is outside min to max.
 */
int number_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/*
 * Reads a duration: a number and its unit, "500ms", "30s", "5m", "2h", "1d"; "0" needs
 * no unit. Returns 0; -EINVAL if malformed; -ERANGE beyond NUMBER_DURATION_MAX_MS.
 */
int number_parse_duration(const char *text, int64_t *out_ms);

struct number_rate {
	unsigned count;
	int64_t period_ms;
	unsigned burst;
};

/*
 * Reads a rate: "100/s", "30/1m", "5/10s:20". Counts are from 1 to NUMBER_RATE_MAX, the
 * period from 1 ms to 1 day; the burst follows the colon and is count by default.
 * Returns 0; -EINVAL if malformed; -ERANGE if outside.
 */
int number_parse_rate(const char *text, struct number_rate *out);

#endif
