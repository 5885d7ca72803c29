/*
 * A dress rehearsal: a child takes the rights that every child will take, and looks for
 * the program there, before anything is opened. A mistake shows at the start, and not at
 * the first client.
 */
#ifndef ENGINE_PREFLIGHT_H
#define ENGINE_PREFLIGHT_H

#include "engine/program/program.h"
#include "engine/confine/privileges.h"
#include "engine/confine/sandbox.h"

/*
 * Tries, in a child where privileges, a sandbox or the program's directory can fail; else
 * here. program (NULL: none) is found on the way; of sandbox only that stays on which
 * this system has. Returns 0, or a negative errno with a sentence in why: that of the step
 * that failed, or of program_find().
 */
int preflight_run(const struct privileges *privileges, struct program *program,
		  struct sandbox *sandbox, struct why *why);

#endif
