/*
 * What every process that the supervisor forks does first, whether it becomes a worker or
 * a monitor. All of this runs in the child.
 */
#ifndef ENGINE_CHILD_H
#define ENGINE_CHILD_H

#include <sys/types.h>

/*
 * Ties the process to the supervisor's life (PR_SET_PDEATHSIG, prctl(2)) and gives it a
 * process group of its own. Leaves the process if the supervisor is gone already.
 */
void child_detach(pid_t supervisor);

/* Closes the descriptors from first up but a and b (-1: none), or leaves the process. */
void child_close_others(int first, int a, int b);

/* Unblocks every signal. Dispositions are the defaults already; signals.h. */
void child_reset_signals(void);

#endif
