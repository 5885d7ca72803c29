#include "dial.h"

#include "base/clock.h"
#include "race.h"

int dial(int *out, const struct address *to, int64_t timeout_ms, int interrupts)
{
	struct race_rules rules = { .interrupts = interrupts,
				    .deadline_us = CLOCK_NEVER };
	struct address_list list = { .count = 1, .at = { *to } };
	struct race_result result;
	int err;

	if (timeout_ms > 0)
		rules.deadline_us = clock_now_us() + clock_us_from_ms(timeout_ms);
	err = race_run(&result, &list, &rules);
	if (err == 0)
		*out = result.fd;
	return err;
}
