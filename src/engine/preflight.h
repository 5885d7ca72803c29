/*
 * A rehearsal before anything is opened: a child changes its privileges as every child
 * will, and runs the model's trial with them. So a mistake shows at the start, and not
 * when the first client comes.
 */
#ifndef ENGINE_PREFLIGHT_H
#define ENGINE_PREFLIGHT_H

#include "engine/confine/privileges.h"
#include "engine/confine/sandbox.h"
#include "engine/supervisor/model.h"

/*
 * Runs the trial: in a child if privileges, a sandbox or the trial need one; otherwise
 * in this process. What the trial finds is in its state; in sandbox only what this
 * system offers stays on; and privileges tell whether processes are kept apart. Returns
 * 0, or a negative errno, of the step that failed or of the trial, with a sentence in
 * why.
 */
int preflight_run(struct privileges *privileges, const struct trial *trial,
		  struct sandbox *sandbox, struct why *why);

#endif
