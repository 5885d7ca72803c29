/* Judging the end of a worker: by its exit status or signal, and by what it has noted. */
#ifndef ENGINE_ENDING_H
#define ENGINE_ENDING_H

#include "process.h"

/* Fills what the process's row tells of the connection that ended for that reason. */
void ending_fill(struct ending *ending, enum reason reason, pid_t pid,
		 const struct score_row *row);

/*
 * Why the worker's connection has ended. sandboxed: whether the worker was confined, and
 * a status or signal may tell of that.
 */
enum reason ending_of_worker(const struct process *process, const struct score_row *row,
			     const siginfo_t *info, bool sandboxed);

#endif
