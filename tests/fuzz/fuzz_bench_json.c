/*
 * The line of JSON that prong bench prints, for any target and any figures. The first
 * bytes choose the mode and the figures; the rest is the target.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "json_text.h"
#include "prong/bench/json.h"
#include "prong/bench/mode.h"

#define NUMBERS 12

static const struct mode *const modes[] = { &mode_churn, &mode_keep, &mode_hold,
					    &mode_stream };
static struct result result; /* too large for the stack: its histograms */
static struct plan plan;

/* Powers of two, none, or no bound, so that a byte covers all magnitudes. */
static uint64_t number(uint8_t byte)
{
	return byte == 0 ? 0 : byte >= 64 ? UINT64_MAX : UINT64_C(1) << byte;
}

static void fill(const uint8_t *data)
{
	struct figures *figures = &result.figures;

	memset(&result, 0, sizeof(result));
	plan = (struct plan){ .mode = modes[data[0] % 4], .workers = data[1] };
	plan.concurrency = number(data[2]);
	plan.bytes = number(data[3]);
	plan.count = number(data[4]);
	/*
	 * As the planner computes it from a rate: a period of 1 ms to a day, 1 to
	 * 1000000.
	 */
	plan.interval_ns = data[5] == 0 ? 0 : (double)data[5] * 1e6 / (1 + data[6]);
	result.plan = &plan;
	result.begun_ns = number(data[7]);
	result.went_on_ns = number(data[8]);
	result.signo = data[1] % 2 ? 2 : 0;
	for (int i = 0; i < MOMENT_COUNT; i++)
		figures->moments_ns[i] = number(data[9]) + (uint64_t)i;
	figures->ok = figures->held = number(data[10]);
	for (int i = 0; i < FAILURE_COUNT; i++)
		figures->failures[i] = number(data[11]);
	for (int i = 0; i < PART_COUNT; i++)
		if (data[6] & (1U << i))
			histogram_add(&figures->parts[i], number(data[9] % 42));
}

static char *print(bool histogram)
{
	FILE *standard_output = stdout;
	char *text = NULL;
	size_t size;

	stdout = open_memstream(&text, &size);
	json_print(&result, histogram);
	fclose(stdout);
	stdout = standard_output;
	CHECK(strlen(text) == size && size > 0 && text[size - 1] == '\n');
	text[size - 1] = '\0';
	return text;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *target, *text;

	if (size < NUMBERS)
		return 0;
	fill(data);
	target = fuzz_text(data + NUMBERS, size - NUMBERS);
	snprintf(result.target, sizeof(result.target), "%s", target);
	text = print(data[0] & 4);
	CHECK(json_text_is_valid(text));
	free(text);
	free(target);
	return 0;
}
