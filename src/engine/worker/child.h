/*
 * What every process that the supervisor forks does first, whether it becomes a worker
 * or a monitor. All of this runs in the child.
 */
#ifndef ENGINE_CHILD_H
#define ENGINE_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Ties the process to the supervisor's life (PR_SET_PDEATHSIG, prctl(2)) and gives it a
 * session of its own (setsid(2)): so it has its own process group and no controlling
 * terminal. If session is false, it only gets a process group. Exits if the supervisor
 * is gone already. Returns 0 or a negative errno of setsid(2).
 */
int child_detach(pid_t supervisor, bool session);

/*
 * Replaces those descriptors from first to last that are a terminal and could be read,
 * since what is typed there is not meant for this process. Standard input becomes
 * /dev/null. Another one is opened again for writing only or, if that is not possible
 * (for example without /proc), becomes /dev/null too. Must come before privileges and
 * root directory change. Returns 0 or a negative errno of open(2) or dup2(2).
 */
int child_shut_terminals(int first, int last);

/*
 * Closes the descriptors from first up, except the count in keep (-1: none). Returns 0,
 * or a negative errno of close_range(2): the process may then still have the listeners,
 * and must not go on.
 */
int child_close_others(int first, const int *keep, int count);

/* Unblocks every signal. Dispositions are the defaults already; signals.h. */
void child_reset_signals(void);

#endif
