/* What prong_open() is asked for: whether it can be had, before anything is opened. */
#ifndef ENGINE_OPTIONS_H
#define ENGINE_OPTIONS_H

#include <stdbool.h>

#include "prong.h"

/* Returns 0, or -EINVAL or -ENOTSUP with a line in the caller's buffer. */
int options_check(const struct prong_options *options, bool has_handler);

unsigned options_max_processes(const struct prong_options *options);

/* Says what failed, in the caller's buffer if there is one; returns err. */
__attribute__((format(printf, 3, 4))) int options_fail(
	const struct prong_options *options, int err, const char *format, ...);

#endif
