/*
 * What each option of the command line needs in order to have an effect: one table. An
 * option that would do nothing, or that contradicts another, is refused rather than
 * ignored. Defaults are never refused.
 */
#ifndef PRONGD_EFFECT_H
#define PRONGD_EFFECT_H

#include <stdbool.h>
#include <stddef.h>

#include "options.h"

/* What is served; a row of the table applies to one of these or to both. */
enum effect_served {
	EFFECT_SERVICE = 1 << 0,
	EFFECT_PROGRAM = 1 << 1,
};

/* What will be served, and the options. */
struct effect_view {
	const struct prongd_settings *settings;
	const struct option_given *given; /* of prongd_page */
	enum effect_served served;
	const int *listen_fds; /* handed over by a service manager */
	size_t listen_fd_count;
};

/*
 * Returns 0; or -EINVAL with a sentence in why that begins with the option as it was
 * typed and says what it needs.
 */
int effect_check(const struct effect_view *view, struct why *why);

/* Whether the table has a row for the option with this long name. */
bool effect_is_known(const char *name);

#endif
