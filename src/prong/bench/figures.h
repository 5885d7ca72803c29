/*
 * What a run has counted and timed. Each worker has its own figures, in memory shared
 * with the first process of the command, which merges them, meanwhile and at the end.
 */
#ifndef PRONG_BENCH_FIGURES_H
#define PRONG_BENCH_FIGURES_H

#include <stdint.h>

#include "histogram.h"

enum failure {
	FAILURE_REFUSED,
	FAILURE_RESET,
	FAILURE_TIMED_OUT,
	FAILURE_CLOSED_EARLY,
	FAILURE_WRONG_BYTES,
	FAILURE_OTHER,
	FAILURE_COUNT
};

/*
 * What is timed: from the moment at which the connection was begun (or due), except for
 * rounds.
 */
enum part {
	PART_CONNECT,
	PART_FIRST, /* the first byte of the echo */
	PART_WHOLE, /* end of file from the server */
	PART_ROUND, /* from the write, or when it was due, to the last echoed byte */
	PART_COUNT
};

/* When, by nanoclock_now_ns(); 0: not yet. Of several workers the last one counts. */
enum moment {
	MOMENT_OPENED, /* all connections of the worker are open */
	MOMENT_ECHOED, /* all held connections have had their second echo */
	MOMENT_ENDED,
	MOMENT_COUNT
};

struct figures {
	uint64_t moments_ns[MOMENT_COUNT];
	uint64_t ok;
	uint64_t failures[FAILURE_COUNT];
	uint64_t bytes_in, bytes_out;
	uint64_t held;       /* connections open when all had been opened */
	uint64_t unfinished; /* connections in progress when the run was interrupted */
	/*
	 * Of the first failure that counts as "other": the errno, and the call that
	 * failed.
	 */
	int other_error;
	char other_call[20];
	struct histogram parts[PART_COUNT];
};

extern const char *const failure_names[FAILURE_COUNT]; /* as in the JSON */

/* Adds the counts of from, which may change meanwhile. */
void figures_merge(struct figures *to, const struct figures *from);

uint64_t figures_failed(const struct figures *figures);

#endif
