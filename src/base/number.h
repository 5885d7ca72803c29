/*
 * Numbers as users type them. Strict: no sign, no white space, nothing behind,
 * no silent wrap. Never prints.
 */
#ifndef BASE_NUMBER_H
#define BASE_NUMBER_H

#include <stdint.h>

/* Longest duration that is taken: ten years, in milliseconds. */
#define NUMBER_DURATION_MAX INT64_C(315360000000)

/*
 * Reads a decimal number from min to max.
 * Returns 0; -EINVAL if text is not a number; -ERANGE if it is outside.
 */
int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out);

/*
 * Reads a duration: a number and its unit, "500ms", "30s", "5m", "2h", "1d"; "0"
 * needs none. *out is in milliseconds.
 * Returns 0; -EINVAL if malformed; -ERANGE beyond NUMBER_DURATION_MAX.
 */
int number_parse_duration(const char *text, int64_t *out);

#endif
