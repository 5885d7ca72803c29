/*
 * The one line on stderr that tells how a run fares while it runs: on a terminal only,
 * and gone when the run is over.
 */
#ifndef PRONG_BENCH_LIVE_H
#define PRONG_BENCH_LIVE_H

#include "board.h"
#include "result.h"

struct live {
	bool on;               /* stderr is a terminal */
	uint64_t next_ns;      /* nanoclock_now_ns() of the next line */
	uint64_t at_ns, done;  /* of the last one */
	struct result *result; /* as of the last one; its own memory */
};

/* Returns 0, and the caller gives it to live_close(); or -ENOMEM. */
int live_open(struct live *live, const struct plan *plan);
void live_close(struct live *live);

/* Milliseconds for poll(2) until the next line; -1 if there will be none. */
int live_timeout_ms(const struct live *live);

/* Write the line anew, if it is time for that: five times a second at most. */
void live_show(struct live *live, const struct board *board);

/* Make room for other lines. */
void live_erase(const struct live *live);

#endif
