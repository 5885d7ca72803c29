/*
 * Handlers that try to get out of the sandbox, by a line that their client sends. Not
 * one does harm where it succeeds: system calls get arguments that do nothing or that
 * the test sees.
 */
#ifndef PROGRAMS_ESCAPES_H
#define PROGRAMS_ESCAPES_H

#include <prong.h>

/* For main(): what a handler could not find out any more. */
void escapes_prepare(void);

/*
 * "NAME [ARGUMENT]...": makes this system call, or does what that name in the table
 * stands for. Sends "call NUMBER\n" first, where there is one (else -1), and, if it
 * returns, "done RESULT ERRNO\n".
 */
int escapes(struct prong_conn *conn, void *arg);

/* What a handler may do: "done\n" if all of it works, else what does not. */
int works(struct prong_conn *conn, void *arg);

#endif
