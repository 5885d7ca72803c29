/*
 * The program that is run for each connection: found, checked and prepared once, so
 * that a mistake shows at the start and not when the first client comes. Never runs it.
 */
#ifndef ENGINE_PROGRAM_H
#define ENGINE_PROGRAM_H

#include <limits.h>

#include "base/why.h"
#include "prong.h"

#define PROGRAM_ENV_MAX 64 /* administrator's variables, including PATH */

struct program {
	struct prong_program options;
	char path[PATH_MAX];
	const char *env[PROGRAM_ENV_MAX]; /* "NAME=VALUE", of those that are set */
	unsigned env_count;
	const char *search;    /* the PATH in which it is looked for */
	const char *gains;     /* privileges that execve(2) would give; NULL: none */
	char binary[PATH_MAX]; /* file of a warm program: itself, or its interpreter */
	const char *cold;      /* why not kept warm; NULL: it can, or need not be */
};

/*
 * Takes the program that was asked for, and its environment. Strings stay the caller's.
 * spare is how many are to be kept ready. Returns 0; or, with a sentence in why,
 * -EINVAL, -ENAMETOOLONG, or -E2BIG for too many variables.
 */
int program_prepare(struct program *program, const struct prong_program *options,
		    unsigned spare, struct why *why);

/*
 * Finds and checks the program, with the privileges and in the root directory of the
 * calling process, which changes to the program's own directory if it has one. If a
 * program should be kept warm but cannot be, that is not a failure: cold says why.
 * Returns 0, or, with a sentence in why, -ENOENT, -EACCES, -ENOEXEC or an errno of
 * chdir(2).
 */
int program_find(struct program *program, struct why *why);

#endif
