/*
 * Handlers that try to get out of the sandbox, as a line of their client says. They
 * do no harm if they succeed: system calls get arguments that do nothing, or that the
 * test sees.
 */
#ifndef PROGRAMS_ESCAPES_H
#define PROGRAMS_ESCAPES_H

#include <prong.h>

/* For main(): looks up what a handler could no longer find out. */
void escapes_prepare(void);

/*
 * "NAME [ARGUMENT]...": makes this system call, or does what the table has for that
 * name. First sends "call NUMBER\n" (-1 if it is no call) and, if it returns, "done
 * RESULT ERRNO\n".
 */
int escapes(struct prong_conn *conn, void *arg);

/* Does what a handler may do: sends "done\n" if all of it works, else what does not. */
int works(struct prong_conn *conn, void *arg);

#endif
