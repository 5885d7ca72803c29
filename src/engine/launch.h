/*
 * Starting a program with a connection as its standard input and output. Owns what
 * happens between vfork(2) and execve(2), where the child borrows the supervisor's
 * memory and may only make system calls.
 */
#ifndef ENGINE_LAUNCH_H
#define ENGINE_LAUNCH_H

#include <sys/types.h>

#include "environment.h"
#include "program.h"

struct launch {
	const struct program *program;
	const struct environment *environment;
	int connection; /* stays the caller's */
	int channel;    /* for WARM_CHANNEL; -1: none */
	pid_t parent;   /* the caller: the program dies with it */
	pid_t group;    /* process group to be in; 0: one of its own */

	int error; /* errno of the step that failed in the child; 0: none did */
};

/*
 * Starts the program. Returns its pid, or a negative errno if no process could be
 * made; where the process was made but the program not started, it is collected
 * again, launch->error says why, and 0 is returned.
 */
pid_t launch_program(struct launch *launch);

#endif
