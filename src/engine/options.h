/* Checks the options of prong_open() before anything is opened. */
#ifndef ENGINE_OPTIONS_H
#define ENGINE_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/why.h"
#include "engine/supervisor/model.h"
#include "prong.h"

/*
 * The smallest size of options that is accepted, in bytes: up to and including listen.
 */
#define OPTIONS_SIZE_MIN                          \
	(offsetof(struct prong_options, listen) + \
	 sizeof(((struct prong_options *)NULL)->listen))

/* The largest size, in bytes; a larger one was never set. */
#define OPTIONS_SIZE_MAX 4096

/*
 * Copies the options of a program that may have been built with another version of
 * prong.h. Fields that the program's version lacks are zero in *own. Reads nothing
 * beyond options->size. Even after a failure *own can be given to options_tell(): it
 * names the program's buffer if the options are large enough to have one. Returns 0;
 * -EINVAL if they are smaller than OPTIONS_SIZE_MIN; -E2BIG if they are larger than
 * OPTIONS_SIZE_MAX, or if a byte is set that this version has no field for.
 */
int options_copy(struct prong_options *own, const struct prong_options *options,
		 struct why *why);

/* Returns 0, or -EINVAL or -ENOTSUP with a sentence in why. */
int options_check(const struct prong_options *options, bool has_handler,
		  struct why *why);

/* The model that these options ask for; NULL: no model does that. */
const struct model *options_model(const struct prong_options *options);

unsigned options_max_processes(const struct prong_options *options);

/* Copies the sentence to the caller of prong_open(), if there is a buffer for it. */
void options_tell(const struct prong_options *options, const struct why *why);

#endif
