/*
 * Starts a program with a connection as its standard input and output. Owns what
 * happens between clone(2) and execve(2). In between, the child borrows the memory of
 * the process that starts it, and may only make system calls. That process waits for
 * the child's first steps, after which the child has no copy of any descriptor except
 * its own. It does not wait for execve(2), which takes as long as a file system does.
 *
 * A child that changes its user or its root is forked instead: other processes of that
 * user could stop it, and with it the process that waits. A child that looks up names
 * is forked too.
 */
#ifndef ENGINE_LAUNCH_H
#define ENGINE_LAUNCH_H

#include <sys/types.h>

#include "launchpad.h"

/*
 * Starts the program of pad->launch, with pad->environment. Returns its pid, or a
 * negative errno if no process could be made. If the program cannot be started, the
 * process notes why in launch->row and ends with status 127.
 */
pid_t launch_program(struct launchpad *pad);

#endif
