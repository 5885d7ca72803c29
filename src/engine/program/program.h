/*
 * The program that is run for each connection: found, checked and prepared once, so
 * that a mistake shows at the start and not at the first client. Never runs it.
 */
#ifndef ENGINE_PROGRAM_H
#define ENGINE_PROGRAM_H

#include <limits.h>

#include "base/why.h"
#include "prong.h"

#define PROGRAM_ENV_MAX 64 /* variables of the administrator's, PATH included */

struct program {
	struct prong_program options;
	char path[PATH_MAX];
	const char *env[PROGRAM_ENV_MAX]; /* "NAME=VALUE", those that are set */
	unsigned env_count;
	const char *search; /* PATH, in which it is looked for */
	const char *gains;  /* rights that its execve(2) would give; NULL: none */
	char binary
		[PATH_MAX]; /* of one that is kept warm: itself, or its interpreter */
	const char *cold;   /* why it cannot be kept warm; NULL: it can, or need not */
};

/*
 * Takes what was asked for and its environment. Strings stay the caller's. spare is how
 * many are to be kept started.
 * Returns 0; or, with a sentence in why, -EINVAL, -ENAMETOOLONG, or -E2BIG for too many
 * variables.
 */
int program_prepare(struct program *program, const struct prong_program *options,
		    unsigned spare, struct why *why);

/*
 * Finds and checks the program, with the rights and in the root directory of the
 * calling process, which changes to the program's own directory if it has one. A program that is to be kept warm and cannot be is no failure: cold
 * says why.
 * Returns 0; -ENOENT, -EACCES, -ENOEXEC or what chdir(2) says, with a sentence in why.
 */
int program_find(struct program *program, struct why *why);

#endif
