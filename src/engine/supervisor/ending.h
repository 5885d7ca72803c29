/*
 * Finds out why a worker ended, from its exit status or signal and from its row of the
 * scoreboard.
 */
#ifndef ENGINE_ENDING_H
#define ENGINE_ENDING_H

#include "process.h"

/* Fills in what the process's row says of the connection that ended for that reason. */
void ending_fill(struct ending *ending, enum reason reason, pid_t pid,
		 const struct score_row *row);

/*
 * Why the worker's connection has ended. sandboxed: the worker was confined, so a
 * status or signal may mean that the sandbox ended it.
 */
enum reason ending_of_worker(const struct process *process, const struct score_row *row,
			     const siginfo_t *info, bool sandboxed);

#endif
