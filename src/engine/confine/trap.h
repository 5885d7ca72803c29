/*
 * The handler of SIGSYS: what comes of a call that the sandbox's filter has trapped. In
 * the supervisor it is made through the gate (base/gate.h); in a worker it is the end.
 */
#ifndef ENGINE_TRAP_H
#define ENGINE_TRAP_H

struct score_row;

/*
 * Takes SIGSYS, for good: afterwards the calls that would set, block or reset it leave
 * it alone, since the next trap would end the process. Returns 0 or a negative errno.
 */
int trap_install(void);

/* From now on this process is a worker: row tells what it tried. */
void trap_confine(struct score_row *row);

/*
 * Where that is noted: a place on the stack of who forks, NULL until then, which spares
 * each child the copy of another page. NULL: in a place of its own.
 */
void trap_place(struct score_row **place);

#endif
