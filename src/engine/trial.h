/*
 * A dress rehearsal: a child takes the rights that every child will take, and looks for
 * the program there, before anything is opened. A mistake shows at the start, and not at
 * the first client.
 */
#ifndef ENGINE_TRIAL_H
#define ENGINE_TRIAL_H

#include "program.h"
#include "rights.h"
#include "sandbox.h"

#define TRIAL_WHY_MAX PROGRAM_WHY_MAX /* and RIGHTS_WHY_MAX, which is the same */

/*
 * Tries. program (NULL: none) is found on the way; of sandbox only that stays on which
 * this system has. Returns 0, or a negative errno with a line in why: that of the step
 * that failed, or of program_find().
 */
int trial_run(const struct rights *rights, struct program *program,
	      struct sandbox *sandbox, char why[TRIAL_WHY_MAX]);

#endif
