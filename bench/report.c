/*
 * Owns the form of the result: one JSON object on one line of stdout. It never
 * counts anything itself.
 */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "mode.h"

static const char *const failure_names[] = {
	[FAILURE_REFUSED] = "refused",         [FAILURE_RESET] = "reset",
	[FAILURE_TIMED_OUT] = "timed_out",     [FAILURE_CLOSED_EARLY] = "closed_early",
	[FAILURE_WRONG_BYTES] = "wrong_bytes", [FAILURE_OTHER] = "other",
};

static const char *const part_names[] = {
	[PART_CONNECT] = "connect_us",
	[PART_FIRST] = "first_us",
	[PART_WHOLE] = "whole_us",
	[PART_ROUND] = "round_us",
};

static const struct quantile {
	const char *name;
	double share;
} quantiles[] = {
	{ "p50", 0.5 },    { "p90", 0.9 }, { "p99", 0.99 },
	{ "p999", 0.999 }, { "max", 1 },
};

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20)
			printf("\\u%04x", byte);
		else if (byte == '"' || byte == '\\')
			printf("\\%c", byte);
		else
			putchar(byte);
	}
	putchar('"');
}

/* Nothing timed is null, not 0: no one should take it for very fast. */
static void print_part(const char *name, const struct histogram *histogram)
{
	printf(",\"%s\":{", name);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		const char *comma = i > 0 ? "," : "";
		uint64_t ns = histogram_quantile(histogram, quantiles[i].share);

		if (histogram->count == 0)
			printf("%s\"%s\":null", comma, quantiles[i].name);
		else
			printf("%s\"%s\":%.2f", comma, quantiles[i].name,
			       (double)ns / 1e3);
	}
	putchar('}');
}

int report_print(const struct run *run)
{
	double seconds = (double)(run->clock_stop - run->clock_start) / 1e9;

	printf("{\"mode\":\"%s\",\"target\":", run->mode->name);
	print_string(run->options->target.text);
	printf(",\"ok\":%" PRIu64, run->ok);
	for (int i = 0; i < FAILURE_COUNT; i++)
		printf(",\"%s\":%" PRIu64, failure_names[i], run->failures[i]);
	printf(",\"seconds\":%.6f", seconds);
	printf(",\"per_second\":%.2f", seconds > 0 ? (double)run->ok / seconds : 0.0);
	printf(",\"bytes_in\":%" PRIu64, run->bytes_in);
	printf(",\"bytes_out\":%" PRIu64, run->bytes_out);
	for (int i = 0; i < PART_COUNT; i++)
		if (run->mode->parts & (1U << i))
			print_part(part_names[i], &run->parts[i]);
	printf("}\n");
	return fflush(stdout) == 0 && !ferror(stdout) ? 0 : -EIO;
}
