#include "table.h"

#include <inttypes.h>
#include <stdio.h>

#include "board.h"
#include "mode.h"
#include "quantity.h"

static void print_heading(const struct result *result)
{
	const struct plan *plan = result->plan;
	char text[QUANTITY_MAX];

	printf("%s to %s", plan->mode->name, result->target);
	if (plan->bytes != PLAN_UNBOUNDED)
		printf(", %s each way", quantity_bytes(text, (double)plan->bytes));
	printf(", %" PRIu64 " at once", plan->concurrency);
	if (plan->interval_ns > 0)
		printf(" at most, %s/s due",
		       quantity_rate(text, 1e9 / plan->interval_ns));
	if (plan->workers > 1)
		printf(", %u processes", plan->workers);
	putchar('\n');
}

/*
 * "opened 100 in 12.3 ms, 8123/s" and an end of line; nothing if it has not happened.
 */
static void print_span(const char *done, uint64_t count, const char *units, uint64_t ns)
{
	char time[QUANTITY_MAX], rate[QUANTITY_MAX];

	if (ns == 0)
		return;
	printf("%s%" PRIu64 " %s in %s, %s/s\n", done, count, units,
	       quantity_time(time, ns),
	       quantity_rate(rate, result_per_second(count, ns)));
}

static void print_done(const struct result *result)
{
	const struct figures *figures = &result->figures;
	const struct mode *mode = result->plan->mode;
	const uint64_t *moments_ns = figures->moments_ns;
	uint64_t held_for_ns =
		result_between_ns(moments_ns[MOMENT_OPENED], result->went_on_ns);
	uint64_t time_ns = result_time_ns(result);
	char text[QUANTITY_MAX];

	if (mode->gates == GATES)
		print_span(
			"opened ", figures->held, "connections",
			result_between_ns(result->begun_ns, moments_ns[MOMENT_OPENED]));
	if (mode == &mode_hold && result->went_on_ns > 0)
		printf("held %" PRIu64 " for %s\n", figures->held,
		       quantity_time(text, held_for_ns));
	if (mode == &mode_hold)
		print_span("echoed again on ", figures->parts[PART_ROUND].count,
			   mode->units,
			   result_between_ns(result->went_on_ns,
					     moments_ns[MOMENT_ECHOED]));
	print_span("", figures->ok, mode->units, time_ns);
	if (mode == &mode_stream && time_ns > 0) {
		double rate = result_per_second(figures->bytes_in, time_ns);

		printf("received %s", quantity_bytes(text, (double)figures->bytes_in));
		printf(", %s/s\n", quantity_bytes(text, rate));
	}
}

static void print_failures(const struct figures *figures)
{
	static const char *const words[FAILURE_COUNT] = {
		[FAILURE_REFUSED] = "refused",
		[FAILURE_RESET] = "reset",
		[FAILURE_TIMED_OUT] = "timed out",
		[FAILURE_CLOSED_EARLY] = "closed early",
		[FAILURE_WRONG_BYTES] = "with wrong bytes",
		[FAILURE_OTHER] = "otherwise",
	};
	const char *separator = "";

	printf("failed: ");
	for (int i = 0; i < FAILURE_COUNT; i++) {
		if (figures->failures[i] == 0)
			continue;
		printf("%s%" PRIu64 " %s", separator, figures->failures[i], words[i]);
		separator = ", ";
	}
	printf("%s\n", *separator ? "" : "none");
	if (figures->unfinished > 0)
		printf("unfinished: %" PRIu64 "\n", figures->unfinished);
}

static void print_times(const struct result *result)
{
	char text[QUANTITY_MAX];

	printf("\n%-8s", "");
	for (int i = 0; i < RESULT_QUANTILES; i++)
		printf("%10s", result_quantiles[i].title);
	putchar('\n');
	for (int part = 0; part < PART_COUNT; part++) {
		const struct histogram *times = &result->figures.parts[part];

		if (!(result->plan->mode->parts & (1U << part)))
			continue;
		printf("%-8s", result_part_names[part]);
		for (int i = 0; i < RESULT_QUANTILES; i++) {
			double share = result_quantiles[i].share;
			uint64_t ns = histogram_quantile_ns(times, share);

			printf("%10s",
			       times->count > 0 ? quantity_time(text, ns) : "-");
		}
		putchar('\n');
	}
}

void table_print(const struct result *result)
{
	print_heading(result);
	print_done(result);
	print_failures(&result->figures);
	print_times(result);
}
