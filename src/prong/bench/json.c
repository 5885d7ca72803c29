#include "json.h"

#include <inttypes.h>
#include <stdio.h>

#include "board.h"
#include "chart.h"
#include "mode.h"

static void print_string(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < 0x20 || byte > 0x7e)
			printf("\\u%04x", byte);
		else if (byte == '"' || byte == '\\')
			printf("\\%c", byte);
		else
			putchar(byte);
	}
	putchar('"');
}

/* A value that has no bound, or has not happened, is null, not a number. */
static void print_or_null(const char *name, bool known, double value)
{
	if (known)
		printf(",\"%s\":%.6f", name, value);
	else
		printf(",\"%s\":null", name);
}

static void print_plan(const struct plan *plan)
{
	printf(",\"processes\":%u", plan->workers);
	printf(",\"concurrency\":%" PRIu64, plan->concurrency);
	if (plan->bytes == PLAN_UNBOUNDED)
		printf(",\"size\":null");
	else
		printf(",\"size\":%" PRIu64, plan->bytes);
	if (plan->count == PLAN_UNBOUNDED)
		printf(",\"count\":null");
	else
		printf(",\"count\":%" PRIu64, plan->count);
	print_or_null("rate", plan->interval_ns > 0, 1e9 / plan->interval_ns);
}

/* If nothing was timed it prints null, since 0 would look very fast. */
static void print_part(const char *name, const struct histogram *histogram)
{
	printf(",\"%s_us\":{", name);
	for (int i = 0; i < RESULT_QUANTILES; i++) {
		const struct quantile *quantile = &result_quantiles[i];
		const char *comma = i > 0 ? "," : "";
		uint64_t ns = histogram_quantile_ns(histogram, quantile->share);

		if (histogram->count == 0)
			printf("%s\"%s\":null", comma, quantile->name);
		else
			printf("%s\"%s\":%.2f", comma, quantile->name,
			       (double)ns / 1e3);
	}
	putchar('}');
}

static void print_span(const char *name, uint64_t count, uint64_t ns)
{
	char per_second[40];

	snprintf(per_second, sizeof(per_second), "%s_per_second", name);
	printf(",\"%s_seconds\":", name);
	if (ns > 0)
		printf("%.6f,\"%s\":%.2f", (double)ns / 1e9, per_second,
		       result_per_second(count, ns));
	else
		printf("null,\"%s\":null", per_second);
}

static void print_stages(const struct result *result)
{
	const struct figures *figures = &result->figures;
	const uint64_t *moments_ns = figures->moments_ns;
	uint64_t opened_ns = moments_ns[MOMENT_OPENED];

	if (result->plan->mode->gates < GATES)
		return;
	printf(",\"held\":%" PRIu64, figures->held);
	print_span("open", figures->held,
		   result_between_ns(result->begun_ns, opened_ns));
	if (result->plan->mode != &mode_hold)
		return;
	print_or_null("hold_seconds", result->went_on_ns > 0,
		      (double)result_between_ns(opened_ns, result->went_on_ns) / 1e9);
	print_span("echo", figures->parts[PART_ROUND].count,
		   result_between_ns(result->went_on_ns, moments_ns[MOMENT_ECHOED]));
}

static void print_histogram(const struct result *result)
{
	struct chart_row rows[CHART_ROWS_MAX];
	const char *name;
	const struct histogram *times = result_main_part(result, &name);
	size_t count = times ? chart_rows(rows, times) : 0;

	printf(",\"histogram\":[");
	for (size_t i = 0; i < count; i++)
		printf("%s{\"from_us\":%.2f,\"to_us\":%.2f,\"count\":%" PRIu64 "}",
		       i > 0 ? "," : "", (double)rows[i].from_ns / 1e3,
		       (double)rows[i].to_ns / 1e3, rows[i].count);
	printf("]");
}

void json_print(const struct result *result, bool histogram)
{
	const struct figures *figures = &result->figures;
	const struct mode *mode = result->plan->mode;
	uint64_t time_ns = result_time_ns(result);

	printf("{\"mode\":\"%s\",\"target\":", mode->name);
	print_string(result->target);
	print_plan(result->plan);
	printf(",\"ok\":%" PRIu64, figures->ok);
	for (int i = 0; i < FAILURE_COUNT; i++)
		printf(",\"%s\":%" PRIu64, failure_names[i], figures->failures[i]);
	printf(",\"unfinished\":%" PRIu64, figures->unfinished);
	printf(",\"lost_processes\":%u", result->lost);
	printf(",\"interrupted\":%s", result->signo != 0 ? "true" : "false");
	printf(",\"seconds\":%.6f", (double)time_ns / 1e9);
	printf(",\"per_second\":%.2f", result_per_second(figures->ok, time_ns));
	print_stages(result);
	printf(",\"bytes_in\":%" PRIu64, figures->bytes_in);
	printf(",\"bytes_out\":%" PRIu64, figures->bytes_out);
	for (int i = 0; i < PART_COUNT; i++)
		if (mode->parts & (1U << i))
			print_part(result_part_names[i], &figures->parts[i]);
	if (histogram)
		print_histogram(result);
	printf("}\n");
}
