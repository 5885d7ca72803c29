/*
 * The kinds of load. A mode decides when connections begin and what each does next;
 * it never reads, writes or waits itself (but for keep with one connection).
 */
#ifndef PRONG_BENCH_MODE_H
#define PRONG_BENCH_MODE_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct run;

#define MODE_DURATION_MS 5000 /* where there must be one and none is given */

/* Options that not every mode takes; see takes. */
#define MODE_TAKES_RATE  1U
#define MODE_TAKES_COUNT 2U
#define MODE_TAKES_WAIT  4U

struct mode {
	const char *name;
	const char *units; /* what is counted, in the plural */
	unsigned takes;
	uint64_t concurrency;      /* if none is given */
	uint64_t rate_concurrency; /* with --rate */
	uint64_t bytes;
	uint64_t count;       /* 0: as many as concurrency */
	unsigned parts;       /* bits by enum part: what the report has */
	unsigned gates;       /* where workers wait for each other; see board.h */
	bool talks_at_once;   /* sends without waiting to be told it is connected */
	bool shuts_when_sent; /* half-closes after its last byte, not after the echo */

	/* Set total, slots and what else the run needs before its memory is got. */
	void (*plan)(struct run *run);
	/* Begin what may begin now. Called before each wait, but not at a closed gate. */
	void (*start)(struct run *run);
	/* The client has its goal received and verified. */
	void (*exchanged)(struct run *run, struct client *client);
	/* The server's end of file came as it should; the client is idle after this. */
	void (*ended)(struct run *run, struct client *client);
	/* The time is over: begin nothing more. NULL if the run itself keeps no time. */
	void (*over)(struct run *run);
};

extern const struct mode mode_churn, mode_keep, mode_hold, mode_stream;

#define MODE_TIMES(part) (1U << (part))

#endif
