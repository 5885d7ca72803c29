#include "value.h"

#include <sys/types.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "prong.h"

int value_reuse(const struct option_row *row, const char *value, void *field,
		struct why *why)
{
	uint64_t number = PRONG_REUSE_ALWAYS;

	if (strcmp(value, "always") != 0 &&
	    number_parse(value, row->min, row->max, &number) < 0)
		return why_fail(
			why, -EINVAL,
			"\"%.60s\" is neither a number from 1 to %llu nor \"always\"",
			value, (unsigned long long)row->max);
	*(unsigned *)field = (unsigned)number;
	return 0;
}

int value_rate(const struct option_row *row, const char *value, void *field,
	       struct why *why)
{
	struct prong_rate *rate = field;
	struct number_rate parsed;

	(void)row;
	if (number_parse_rate(value, &parsed) < 0)
		return why_fail(
			why, -EINVAL,
			"\"%.60s\" is not a rate: write 10/s or 30/1m, or with a "
			"burst 5/10s:20; count and burst are from 1 to %d, the "
			"period from 1ms to 1d",
			value, NUMBER_RATE_MAX);
	*rate = (struct prong_rate){ parsed.count, parsed.period_ms, parsed.burst };
	return 0;
}

/* Reads three or four octal digits. Returns 0 or -EINVAL. */
static int parse_octal(const char *value, mode_t *out)
{
	const char *c;

	*out = 0;
	for (c = value; *c >= '0' && *c <= '7' && c - value < 4; c++)
		*out = *out * 8 + (mode_t)(*c - '0');
	return c == value || *c != '\0' || *out > 0777 ? -EINVAL : 0;
}

int value_umask(const struct option_row *row, const char *value, void *field,
		struct why *why)
{
	struct prong_program *program = field;
	mode_t mask;

	(void)row;
	if (parse_octal(value, &mask) < 0)
		return why_fail(why, -EINVAL, "\"%.60s\" is not a mask from 000 to 777",
				value);
	program->set_umask = true;
	program->umask = mask;
	return 0;
}

int value_socket_mode(const struct option_row *row, const char *value, void *field,
		      struct why *why)
{
	mode_t mode;

	(void)row;
	if (parse_octal(value, &mode) < 0 || mode == 0)
		return why_fail(why, -EINVAL,
				"\"%.60s\" is not a file mode from 001 to 777, octal: "
				"write 660",
				value);
	*(mode_t *)field = mode;
	return 0;
}

/* 0 would close our own stdin; 2 belongs to the log. */
int value_ready_fd(const struct option_row *row, const char *value, void *field,
		   struct why *why)
{
	uint64_t fd;
	int mode;

	if (number_parse(value, row->min, row->max, &fd) < 0 || fd == 2)
		return why_fail(why, -EINVAL,
				"\"%.60s\" is not a descriptor that can be used: "
				"write 1, or 3 or more",
				value);
	mode = fcntl((int)fd, F_GETFL);
	/* If the kernel does not tell, ready-failed is logged when it is written to. */
	if (mode < 0 ? errno == EBADF : (mode & O_ACCMODE) == O_RDONLY)
		return why_fail(why, -EINVAL, "descriptor %d is not open for writing",
				(int)fd);
	*(int *)field = (int)fd;
	return 0;
}

/* The short form of a level; the row says which level. */
int value_log_level(const struct option_row *row, const char *value, void *field,
		    struct why *why)
{
	(void)value, (void)why;
	*(unsigned *)field = (unsigned)row->min;
	return 0;
}

/* The character for a letter after a backslash; 0: there is none. */
static char unescape(char letter)
{
	static const char escapes[][2] = {
		{ 'r', '\r' }, { 'n', '\n' }, { 't', '\t' }, { '\\', '\\' }
	};

	for (size_t i = 0; i < sizeof(escapes) / sizeof(escapes[0]); i++)
		if (escapes[i][0] == letter)
			return escapes[i][1];
	return 0;
}

/* Resolves the escapes in a copy, which is kept beside the pointer to it. */
int value_banner(const struct option_row *row, const char *value, void *field,
		 struct why *why)
{
	struct banner *banner = field;
	char *end = banner->buffer;

	(void)row;
	for (; *value != '\0'; value++) {
		bool escaped = *value == '\\';

		value += escaped;
		*end = escaped ? unescape(*value) : *value;
		if (*end == '\0')
			return why_fail(why, -EINVAL,
					"a backslash must be followed by r, n, t or "
					"a backslash: write \\\\ for a backslash");
		if (end++ == banner->buffer + BANNER_MAX)
			return why_fail(why, -EINVAL, "banner is over %d bytes",
					BANNER_MAX);
	}
	*end = '\0';
	banner->text = banner->buffer;
	return 0;
}

int value_user_range(const struct option_row *row, const char *value, void *field,
		     struct why *why)
{
	struct value_user_range *range = field;
	size_t length = strcspn(value, ":");
	uint64_t count = 0, first = 0;
	char text[12] = "";

	if (length < sizeof(text))
		memcpy(text, value, length);
	if (value[length] != ':' ||
	    number_parse(text, row->min, row->max, &first) < 0 ||
	    number_parse(value + length + 1, 1, row->max - first + 1, &count) < 0)
		return why_fail(
			why, -EINVAL,
			"\"%.60s\" is not FIRST:COUNT, ids from %u to %u: write "
			"2100000000:4000",
			value, (unsigned)row->min, (unsigned)row->max);
	range->first = (uint32_t)first;
	range->count = (uint32_t)count;
	return 0;
}

/*
 * Reads a duration of whole seconds, up to a colon. Returns what follows it, or NULL.
 */
static const char *take_seconds(const char *text, int64_t *out_ms)
{
	size_t length = strcspn(text, ":");
	char duration[24] = "";

	if (text[length] != ':' || length >= sizeof(duration))
		return NULL;
	memcpy(duration, text, length);
	if (number_parse_duration(duration, out_ms) < 0 || *out_ms % 1000 != 0 ||
	    *out_ms == 0 || *out_ms > 32767 * 1000)
		return NULL;
	return text + length + 1;
}

int value_keepalive(const struct option_row *row, const char *value, void *field,
		    struct why *why)
{
	struct value_keepalive keepalive = { .off = strcmp(value, "off") == 0 };
	uint64_t count = 0;
	const char *rest = value;

	(void)row;
	if (!keepalive.off) {
		rest = take_seconds(rest, &keepalive.idle_ms);
		if (rest != NULL)
			rest = take_seconds(rest, &keepalive.interval_ms);
		if (rest == NULL || number_parse(rest, 1, 127, &count) < 0)
			return why_fail(
				why, -EINVAL,
				"\"%.60s\" is neither \"off\" nor "
				"IDLE:INTERVAL:COUNT, two times of whole seconds "
				"from 1s to 32767s and a count from 1 to 127: write "
				"5m:30s:4",
				value);
	}
	keepalive.count = (unsigned)count;
	*(struct value_keepalive *)field = keepalive;
	return 0;
}
