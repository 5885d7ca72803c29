/*
 * Which processes hold a socket. The kernel does not say how many copies of a
 * descriptor exist. There are three ways to find out: kcmp(2); the links in
 * /proc/PID/fd (proc(5)); and the fact that an epoll registration lives as long as any
 * copy does (epoll(7)). All but the last require permission to inspect the other
 * process (ptrace(2), PTRACE_MODE_READ).
 */
#ifndef BASE_HOLDER_H
#define BASE_HOLDER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether pid has our descriptor fd as its descriptor 0, 1 or 2. Returns 1 or 0, or a
 * negative errno if that cannot be found out. Takes a microsecond.
 */
int holder_has_stream(pid_t pid, int fd);

/* A question about a socket, and its answer. */
struct holding {
	ino_t inode; /* of the socket, from fstat(2) */
	pid_t pid;   /* a process that holds it; 0: none was found */
};

/*
 * Fills in each pid by looking at all processes except the calling one, which takes
 * some milliseconds. A process that may not be inspected is assumed not to hold the
 * socket. Returns 0, or a negative errno if /proc cannot be read or does not show the
 * calling process.
 */
int holders_find(struct holding *holdings, size_t count);

/*
 * Copies the socket that pid holds (pidfd_getfd(2), which requires permission to
 * attach). Returns a descriptor, close-on-exec, or a negative errno.
 */
int holder_copy(pid_t pid, ino_t inode);

/*
 * Closes fd. Returns whether it was the last copy in any process. probe is an epoll
 * instance used only for this (-1: none, and the answer is yes); it is opened again
 * here when necessary. The socket must be ready for something, such as writing.
 */
bool holder_close_last(int *probe, int fd);

#endif
