/*
 * What a run has counted and timed. Each worker has figures of its own in the memory it
 * shares with the command's first process, which merges them, at the end and meanwhile.
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

/* What is timed. From the moment the connection was begun (or due), but for rounds. */
enum part {
	PART_CONNECT,
	PART_FIRST, /* the first byte of the echo */
	PART_WHOLE, /* end of file from the server */
	PART_ROUND, /* from the write, or when it was due, to the last byte of its echo */
	PART_COUNT
};

/* When, by nanoclock_now_ns(); 0: not yet. Of several workers the last one counts. */
enum moment {
	MOMENT_OPENED, /* all connections of the worker */
	MOMENT_ECHOED, /* all that were held, for the second time */
	MOMENT_ENDED,
	MOMENT_COUNT
};

struct figures {
	uint64_t moments_ns[MOMENT_COUNT];
	uint64_t ok;
	uint64_t failures[FAILURE_COUNT];
	uint64_t bytes_in, bytes_out;
	uint64_t held;       /* connections open when all had been opened */
	uint64_t unfinished; /* connections given up when the run was broken off */
	/* The first failure that is "other": its errno, and the call that failed. */
	int other_error;
	char other_call[20];
	struct histogram parts[PART_COUNT];
};

extern const char *const failure_names[FAILURE_COUNT]; /* as in JSON */

/* Add what from has counted as of now; it may be changing. */
void figures_merge(struct figures *to, const struct figures *from);

uint64_t figures_failed(const struct figures *figures);

#endif
