/*
 * The options that both the supervisor and its workers use, with all defaults filled
 * in.
 */
#ifndef ENGINE_SETTINGS_H
#define ENGINE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "prong.h"

struct settings {
	unsigned spare;
	unsigned reuse; /* connections per process; or PRONG_REUSE_ALWAYS */
	enum prong_at_limit at_limit;
	enum prong_refusal refusal;
	const char *refusal_text;                    /* NULL: none */
	const char *banner;                          /* NULL: none */
	int64_t idle_timeout_us, session_timeout_us; /* 0: none */
	int64_t grace_us, linger_us;
	int64_t hangup_us; /* from the hang-up of a program's client to the end */
	size_t linger_bytes;
	bool hears_programs; /* whether their standard error is logged */
	int ready_fd;        /* 0: none */
	int keep_fds;
};

#endif
