/*
 * One run of the load tool: its clients, its loop and what it counted.
 *
 * Owns every descriptor and all memory of the run, got once at the start: nothing
 * is allocated for a connection.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client.h"
#include "histogram.h"
#include "pattern.h"
#include "target.h"

#define RUN_BUFFER    (256 * 1024) /* bytes written or read at once at most */
#define RUN_UNDER_WAY 256 /* connections being opened at once in keep and hold */

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
	PART_ROUND, /* from the write to the last byte of its echo */
	PART_COUNT
};

struct options {
	const struct mode *mode;
	struct target target;
	struct source source;
	uint64_t count;       /* connections (churn) or round trips (keep) in all */
	uint64_t connections; /* open at once */
	uint64_t bytes;       /* of each exchange */
	double rate;          /* connections a second */
	double duration;      /* s */
	double timeout;       /* s without progress */
	bool wait;
};

struct run {
	const struct options *options;
	const struct mode *mode;
	struct source source;
	int epoll_fd;
	int timer_fd; /* rate only, else -1 */

	struct client *clients; /* slots of them */
	size_t slots;
	struct client *idle;                 /* stack of the unused, linked by after */
	struct client *first_due, *last_due; /* those with a deadline, nearest first */
	size_t in_step[STEP_COUNT];

	uint64_t total;   /* connections to begin */
	uint64_t started; /* of them */
	uint64_t rounds;  /* begun, of options->count; keep only */
	int stage;        /* the mode's own */
	bool paused;      /* not finished even without a connection */
	uint64_t armed;   /* when timer_fd goes off, ns; 0 never */
	uint64_t timeout; /* ns */

	uint64_t clock_start, clock_stop; /* ns; stop 0: at the end */
	uint64_t ok;
	uint64_t failures[FAILURE_COUNT];
	uint64_t bytes_in, bytes_out;
	bool explained; /* the first other failure is on stderr */
	struct histogram parts[PART_COUNT];

	uint64_t in[PATTERN_WORDS(RUN_BUFFER)];
	uint64_t out[PATTERN_WORDS(RUN_BUFFER)];
};

/* CLOCK_MONOTONIC in ns. */
uint64_t run_clock(void);

/*
 * Make a run; the caller gives it to run_close(). options must outlive it.
 * Returns 0 or a negative errno, and then *out is untouched: -EMFILE if the hard
 * limit on descriptors is too low for the connections asked for.
 */
int run_open(struct run **out, const struct options *options);

/* Do all of it: return when every connection has ended or failed, and is counted. */
void run_all(struct run *run);

/* Release all. run may be NULL. */
void run_close(struct run *run);

/* Connections that are not idle. */
size_t run_active(const struct run *run);

/* The failures of all kinds. */
uint64_t run_failed(const struct run *run);

/* The client's deadline is timeout from now; or it has none. now is run_clock(). */
void run_set_deadline(struct run *run, struct client *client, uint64_t now);
void run_clear_deadline(struct run *run, struct client *client);

#endif
