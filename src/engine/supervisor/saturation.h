/*
 * Saying that every process is busy, and that it is over. The limit comes and goes with
 * every connection when there is much to do, so it is called cleared only after some calm:
 * two lines in the log, not thousands.
 */
#ifndef ENGINE_SATURATION_H
#define ENGINE_SATURATION_H

#include <stdbool.h>
#include <stdint.h>

struct report;

struct saturation {
	bool full;             /* every process is busy now */
	int64_t since_us;      /* when that was said; 0: it is not said */
	int64_t cleared_at_us; /* when its end may be said; CLOCK_NEVER */
	uint64_t times;        /* it was reached, since it was said */
};

void saturation_open(struct saturation *saturation);

/* Notes whether all max processes are busy; clients then wait, or are refused. */
void saturation_note(struct saturation *saturation, struct report *report, bool full,
		     unsigned max, bool wait, int64_t now_us);

/* Says no more of it. */
void saturation_forget(struct saturation *saturation);

/* When its end may be said; CLOCK_NEVER. */
static inline int64_t saturation_deadline(const struct saturation *saturation)
{
	return saturation->cleared_at_us;
}

#endif
