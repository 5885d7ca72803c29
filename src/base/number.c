#include "number.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

/* Reads digits up to the first other character, which *end receives. */
static int parse_digits(const char *text, uint64_t *out, const char **end)
{
	uint64_t value = 0;
	const char *c;

	for (c = text; *c >= '0' && *c <= '9'; c++)
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*c - '0'), &value))
			return -ERANGE;
	if (c == text)
		return -EINVAL;
	*out = value;
	*end = c;
	return 0;
}

int number_parse(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	const char *end;
	uint64_t value;
	int err = parse_digits(text, &value, &end);

	if (err < 0)
		return err;
	if (*end != '\0')
		return -EINVAL;
	if (value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

int number_parse_size(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	static const char units[] = "KMGT";
	const char *unit;
	uint64_t value;
	int err = parse_digits(text, &value, &unit);

	if (err < 0)
		return err;
	if (*unit != '\0') {
		const char *found = strchr(units, *unit);
		unsigned shift;

		if (found == NULL || unit[1] != '\0')
			return -EINVAL;
		shift = 10 * ((unsigned)(found - units) + 1);
		if (value > UINT64_MAX >> shift)
			return -ERANGE;
		value <<= shift;
	}
	if (value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

int number_parse_duration(const char *text, int64_t *out_ms)
{
	static const struct {
		const char *name;
		uint64_t ms;
	} units[] = {
		{ "ms", 1 },      { "s", 1000 },     { "m", 60000 },
		{ "h", 3600000 }, { "d", 86400000 },
	};
	const char *unit;
	uint64_t value;
	int err = parse_digits(text, &value, &unit);

	if (err < 0)
		return err;
	if (value == 0 && *unit == '\0') {
		*out_ms = 0;
		return 0;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(unit, units[i].name) != 0)
			continue;
		if (value > (uint64_t)NUMBER_DURATION_MAX_MS / units[i].ms)
			return -ERANGE;
		*out_ms = (int64_t)(value * units[i].ms);
		return 0;
	}
	return -EINVAL;
}

int number_parse_rate(const char *text, struct number_rate *out)
{
	struct number_rate rate;
	char period[32] = "1";
	const char *rest;
	uint64_t count;
	uint64_t burst;
	size_t length;
	int err = parse_digits(text, &count, &rest);

	if (err < 0)
		return err;
	if (*rest++ != '/')
		return -EINVAL;
	burst = count;
	length = strcspn(rest, ":");
	if (rest[length] == ':')
		err = number_parse(rest + length + 1, 1, NUMBER_RATE_MAX, &burst);
	if (err < 0)
		return err;
	/* "/s" is "/1s". */
	if (length == 0 || length >= sizeof(period) - 1)
		return -EINVAL;
	memcpy(period + (*rest < '0' || *rest > '9'), rest, length);
	err = number_parse_duration(period, &rate.period_ms);
	if (err < 0)
		return err;
	if (count < 1 || count > NUMBER_RATE_MAX || burst > NUMBER_RATE_MAX ||
	    rate.period_ms < 1 || rate.period_ms > NUMBER_RATE_PERIOD_MAX_MS)
		return -ERANGE;
	rate.count = (unsigned)count;
	rate.burst = (unsigned)burst;
	*out = rate;
	return 0;
}
