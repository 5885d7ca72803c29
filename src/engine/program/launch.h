/*
 * Starting a program with a connection as its standard input and output. Owns what
 * happens between clone(2) and execve(2), where the child borrows the memory of the
 * process that starts it and may only make system calls. That process waits for the
 * child's first steps, after which the child has no copy of any descriptor but its own,
 * and not for execve(2), which takes as long as a file system does.
 *
 * A child that changes its user or its root is forked instead: others of that user could
 * stop it, and with it the process that waits. So is one that looks names up.
 */
#ifndef ENGINE_LAUNCH_H
#define ENGINE_LAUNCH_H

#include <sys/types.h>

#include "launchpad.h"

/*
 * Starts the program of pad->launch, with pad->environment. Returns its pid, or a
 * negative errno if no process could be made. If the program cannot be started, the
 * process says why in launch->row and ends with status 127.
 */
pid_t launch_program(struct launchpad *pad);

#endif
