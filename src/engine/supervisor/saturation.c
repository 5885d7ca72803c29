#include "saturation.h"

#include "base/clock.h"
#include "report.h"

#define CALM_US 1000000 /* how long it must be below the limit */

void saturation_open(struct saturation *saturation)
{
	*saturation = (struct saturation){ .cleared_at_us = CLOCK_NEVER };
}

void saturation_note(struct saturation *saturation, struct report *report, bool full,
		     unsigned max, bool wait, int64_t now_us)
{
	if (full == saturation->full && saturation->cleared_at_us == CLOCK_NEVER)
		return;
	if (full && !saturation->full) {
		if (saturation->since_us == 0) {
			saturation->since_us = now_us;
			saturation->times = 0;
			report_limit_reached(report, max, wait);
		}
		saturation->times++;
		saturation->cleared_at_us = CLOCK_NEVER;
	}
	if (!full && saturation->full)
		saturation->cleared_at_us = now_us + CALM_US;
	saturation->full = full;
	if (saturation->cleared_at_us > now_us)
		return;
	report_limit_cleared(report,
			     saturation->cleared_at_us - CALM_US - saturation->since_us,
			     saturation->times);
	saturation->cleared_at_us = CLOCK_NEVER;
	saturation->since_us = 0;
}

void saturation_forget(struct saturation *saturation)
{
	saturation->cleared_at_us = CLOCK_NEVER;
}
