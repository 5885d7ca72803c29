/*
 * Reports that every process is busy, and when that is over. Under load the limit is
 * reached and left with every connection. So it is reported as over only after a calm
 * period: two lines in the log, not thousands.
 */
#ifndef ENGINE_SATURATION_H
#define ENGINE_SATURATION_H

#include <stdbool.h>
#include <stdint.h>

struct report;

struct saturation {
	bool full;             /* every process is busy now */
	int64_t since_us;      /* when that was reported; 0: it is not */
	int64_t cleared_at_us; /* when its end may be reported; CLOCK_NEVER */
	uint64_t times;        /* how often it was reached since it was reported */
};

void saturation_open(struct saturation *saturation);

/* Notes whether all max processes are busy; clients then wait, or are refused. */
void saturation_note(struct saturation *saturation, struct report *report, bool full,
		     unsigned max, bool wait, int64_t now_us);

/* Reports no more about it. */
void saturation_forget(struct saturation *saturation);

/* When its end may be reported; CLOCK_NEVER. */
static inline int64_t saturation_deadline(const struct saturation *saturation)
{
	return saturation->cleared_at_us;
}

#endif
