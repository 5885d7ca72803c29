/* What prong_open() is asked for: whether it can be had, before anything is opened. */
#ifndef ENGINE_OPTIONS_H
#define ENGINE_OPTIONS_H

#include <stdbool.h>

#include "base/why.h"
#include "engine/supervisor/model.h"
#include "prong.h"

/* Returns 0, or -EINVAL or -ENOTSUP with a sentence in why. */
int options_check(const struct prong_options *options, bool has_handler,
		  struct why *why);

/* The way in which these options, once checked, ask connections to be served. */
const struct model *options_model(const struct prong_options *options);

unsigned options_max_processes(const struct prong_options *options);

/* Hands the sentence to the caller of prong_open(), if there is a buffer for it. */
void options_tell(const struct prong_options *options, const struct why *why);

#endif
