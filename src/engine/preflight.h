/*
 * A dress rehearsal: a child takes the rights that every child will take, and makes the
 * model's trial with them, before anything is opened. A mistake shows at the start, and
 * not at the first client.
 */
#ifndef ENGINE_PREFLIGHT_H
#define ENGINE_PREFLIGHT_H

#include "engine/confine/privileges.h"
#include "engine/confine/sandbox.h"
#include "engine/supervisor/model.h"

/*
 * Tries, in a child where privileges, a sandbox or the trial need one; else here. What the
 * trial finds is in its state; of sandbox only that stays on which this system has; and
 * privileges tell whether processes are kept apart.
 * Returns 0, or a negative errno with a sentence in why: that of the step that failed, or
 * of the trial.
 */
int preflight_run(struct privileges *privileges, const struct trial *trial,
		  struct sandbox *sandbox, struct why *why);

#endif
