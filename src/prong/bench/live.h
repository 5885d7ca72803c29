/*
 * The line of progress on stderr during a run: on a terminal only, and erased when the
 * run ends.
 */
#ifndef PRONG_BENCH_LIVE_H
#define PRONG_BENCH_LIVE_H

#include "board.h"
#include "result.h"

struct live {
	bool on;               /* whether stderr is a terminal */
	uint64_t next_ns;      /* when the next line is due, by nanoclock_now_ns() */
	uint64_t at_ns, done;  /* when the last one was shown, and its count */
	struct result *result; /* as of the last line; owned */
};

/* Returns 0, and the caller releases it with live_close(); or -ENOMEM. */
int live_open(struct live *live, const struct plan *plan);
void live_close(struct live *live);

/* Milliseconds for poll(2) until the next line; -1 if there will be none. */
int live_timeout_ms(const struct live *live);

/* Writes the line again if it is time: at most five times a second. */
void live_show(struct live *live, const struct board *board);

/* Erases the line, before other lines are written. */
void live_erase(const struct live *live);

#endif
