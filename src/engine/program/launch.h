/*
 * Starting a program with a connection as its standard input and output. Owns what
 * happens between vfork(2) and execve(2), where the child borrows the supervisor's
 * memory and may only make system calls.
 *
 * A child that changes its user is forked instead: others of that user could stop it,
 * and with it whoever waits for its exec.
 */
#ifndef ENGINE_LAUNCH_H
#define ENGINE_LAUNCH_H

#include <sys/types.h>

#include "environment.h"
#include "program.h"

struct privileges;
struct score_row;

struct launch {
	const struct program *program;
	const struct environment *environment;
	int connection; /* stays the caller's */
	int channel;    /* for WARM_CHANNEL; -1: none */
	int null;       /* /dev/null, open for both */
	pid_t parent;   /* the caller: the program dies with it */
	pid_t group;    /* process group to be in; 0: a session of its own */
	const struct privileges *privileges; /* NULL: taken already */
	struct score_row *row; /* receives the errno, and step, that failed */
};

/*
 * Starts the program. Returns its pid, or a negative errno if no process could be
 * made. Where the process was made but the program not started, launch->row says why:
 * by then the process is collected again and 0 is returned or, if it was forked, it
 * ends with a status other than 0 later.
 */
pid_t launch_program(const struct launch *launch);

#endif
