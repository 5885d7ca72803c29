/*
 * The modes of load. A mode decides when connections begin and what each does next. It
 * never reads, writes or waits itself (except keep with one connection).
 */
#ifndef PRONG_BENCH_MODE_H
#define PRONG_BENCH_MODE_H

#include <stdbool.h>
#include <stdint.h>

struct client;
struct run;

#define MODE_DURATION_MS 5000 /* where one is required but not given */

/* Options that only some modes accept; see takes. */
#define MODE_TAKES_RATE  1U
#define MODE_TAKES_COUNT 2U
#define MODE_TAKES_WAIT  4U

struct mode {
	const char *name;
	const char *units; /* what is counted, as a plural */
	unsigned takes;
	uint64_t concurrency;      /* the default */
	uint64_t rate_concurrency; /* the default with --rate */
	uint64_t bytes;
	uint64_t count;       /* 0: as many as concurrency */
	unsigned parts;       /* bits by enum part: what the report shows */
	unsigned gates;       /* number of points where workers wait; see board.h */
	bool talks_at_once;   /* sends before it knows that it is connected */
	bool shuts_when_sent; /* half-closes after its last byte, not after the echo */

	/*
	 * Sets total, slots and what else the run must know before it allocates memory.
	 */
	void (*plan)(struct run *run);
	/*
	 * Begins what may begin now. Called before each wait, but not at a closed gate.
	 */
	void (*start)(struct run *run);
	/* The client has received and verified all its bytes. */
	void (*exchanged)(struct run *run, struct client *client);
	/*
	 * The server's end of file came in order; the client is idle after this call.
	 */
	void (*ended)(struct run *run, struct client *client);
	/* The time is over: begins nothing more. NULL if the run has no time limit. */
	void (*over)(struct run *run);
};

extern const struct mode mode_churn, mode_keep, mode_hold, mode_stream;

#define MODE_TIMES(part) (1U << (part))

#endif
