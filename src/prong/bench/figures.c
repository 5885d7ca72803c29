#include "figures.h"

#include <stddef.h>
#include <string.h>

const char *const failure_names[FAILURE_COUNT] = {
	[FAILURE_REFUSED] = "refused",         [FAILURE_RESET] = "reset",
	[FAILURE_TIMED_OUT] = "timed_out",     [FAILURE_CLOSED_EARLY] = "closed_early",
	[FAILURE_WRONG_BYTES] = "wrong_bytes", [FAILURE_OTHER] = "other",
};

static const size_t sums[] = {
	offsetof(struct figures, ok),
	offsetof(struct figures, failures[FAILURE_REFUSED]),
	offsetof(struct figures, failures[FAILURE_RESET]),
	offsetof(struct figures, failures[FAILURE_TIMED_OUT]),
	offsetof(struct figures, failures[FAILURE_CLOSED_EARLY]),
	offsetof(struct figures, failures[FAILURE_WRONG_BYTES]),
	offsetof(struct figures, failures[FAILURE_OTHER]),
	offsetof(struct figures, bytes_in),
	offsetof(struct figures, bytes_out),
	offsetof(struct figures, held),
	offsetof(struct figures, unfinished),
};

static uint64_t look(const struct figures *figures, size_t offset)
{
	const uint64_t *counter = (const void *)((const char *)figures + offset);

	return __atomic_load_n(counter, __ATOMIC_RELAXED);
}

void figures_merge(struct figures *to, const struct figures *from)
{
	for (size_t i = 0; i < sizeof(sums) / sizeof(sums[0]); i++)
		*(uint64_t *)(void *)((char *)to + sums[i]) += look(from, sums[i]);
	for (int i = 0; i < MOMENT_COUNT; i++)
		if (from->moments_ns[i] > to->moments_ns[i])
			to->moments_ns[i] = from->moments_ns[i];
	for (int i = 0; i < PART_COUNT; i++)
		histogram_merge(&to->parts[i], &from->parts[i]);
	if (to->other_error == 0 && from->other_error != 0) {
		to->other_error = from->other_error;
		memcpy(to->other_call, from->other_call, sizeof(to->other_call));
	}
}

uint64_t figures_failed(const struct figures *figures)
{
	uint64_t sum = 0;

	for (int i = 0; i < FAILURE_COUNT; i++)
		sum += figures->failures[i];
	return sum;
}
