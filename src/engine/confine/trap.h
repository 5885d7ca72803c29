/*
 * The handler of SIGSYS, which receives each call that the sandbox's filter traps. In
 * the supervisor it makes the call through the gate (base/gate.h); in a worker it ends
 * the process.
 */
#ifndef ENGINE_TRAP_H
#define ENGINE_TRAP_H

struct score_row;

/*
 * Installs the handler of SIGSYS for good: later calls that would set, block or reset
 * the signal leave it alone, since the next trap would otherwise end the process.
 * Returns 0 or a negative errno.
 */
int trap_install(void);

/* From now on this process is a worker: what it tries is noted in row. */
void trap_confine(struct score_row *row);

/*
 * Sets where the row is noted: a place on the stack of the process that forks, NULL
 * until then, which saves each child the copy of another page. NULL: the default place.
 */
void trap_place(struct score_row **place);

#endif
