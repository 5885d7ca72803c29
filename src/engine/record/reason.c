#include "reason.h"

/*
 * Exit statuses are an interface. 0 means that the handler itself called exit(3). The
 * others begin where programs and shells seldom exit (sysexits.h ends at 78, shells
 * begin at 126).
 */
static const struct {
	const char *name;
	int status; /* 0: no worker exits with this reason */
} reasons[REASON_COUNT] = {
	[REASON_NONE] = { "none", 0 },
	[REASON_EOF] = { "eof", 100 },
	[REASON_DONE] = { "done", 101 },
	[REASON_RESET] = { "reset", 102 },
	[REASON_IDLE] = { "idle", 103 },
	[REASON_DEADLINE] = { "deadline", 104 },
	[REASON_FAILED] = { "failed", 105 },
	[REASON_STOPPED] = { "stopped", 0 },
	[REASON_CRASH_SIGNAL] = { "crash-signal", 0 },
	[REASON_CRASH_EXIT] = { "crash-exit", 0 },
	[REASON_CRASH_SANDBOX] = { "crash-sandbox", 107 },
	[REASON_EXEC_FAILED] = { "exec-failed", 0 },
	[REASON_REFUSED_DENIED] = { "refused-denied", 0 },
	[REASON_REFUSED_RATE_PER_SOURCE] = { "refused-rate-per-source", 0 },
	[REASON_REFUSED_RATE] = { "refused-rate", 0 },
	[REASON_REFUSED_MAX_PER_SOURCE] = { "refused-max-per-source", 0 },
	[REASON_REFUSED_FULL] = { "refused-full", 0 },
	[REASON_REFUSED_FORK] = { "refused-fork", 0 },
	[REASON_REFUSED_DESCRIPTORS] = { "refused-descriptors", 0 },
	[REASON_REFUSED_PRIVILEGES] = { "refused-privileges", 106 },
};

const char *reason_name(enum reason reason)
{
	return reasons[reason].name;
}

bool reason_is_crash(enum reason reason)
{
	return reason == REASON_CRASH_SIGNAL || reason == REASON_CRASH_EXIT ||
	       reason == REASON_CRASH_SANDBOX;
}

int reason_exit_status(enum reason reason)
{
	return reasons[reason].status;
}

bool reason_is_completion(uint64_t number)
{
	return number < REASON_COUNT && reasons[number].status != 0 &&
	       number != REASON_CRASH_SANDBOX && number != REASON_REFUSED_PRIVILEGES;
}

enum reason reason_from_exit_status(int status)
{
	if (status == 0)
		return REASON_DONE;
	for (int i = 0; i < REASON_COUNT; i++)
		if (reasons[i].status == status)
			return (enum reason)i;
	return REASON_CRASH_EXIT;
}
