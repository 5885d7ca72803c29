/*
 * Which processes hold a socket. The kernel does not tell how many have a copy of a
 * descriptor; what does tell are kcmp(2), the links in /proc/PID/fd (proc(5)), and that an
 * epoll registration lives as long as any copy (epoll(7)). Each of them needs the right to
 * look into the other process (ptrace(2), PTRACE_MODE_READ), but for the last.
 */
#ifndef BASE_HOLDER_H
#define BASE_HOLDER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

/*
 * Whether pid has our descriptor fd as its descriptor 0, 1 or 2. Returns 1 or 0, or a
 * negative errno where that cannot be told. A microsecond.
 */
int holder_has_stream(pid_t pid, int fd);

/* A question and its answer. */
struct holding {
	ino_t inode; /* of the socket, fstat(2) */
	pid_t pid;   /* of a process that holds it; 0: none is seen */
};

/*
 * Fills each pid, looking at all processes but the calling one: some milliseconds. A
 * process that may not be looked into is taken to hold nothing. Returns 0, or a negative
 * errno where /proc cannot be read, or does not show the calling process.
 */
int holders_find(struct holding *holdings, size_t count);

/*
 * A copy of the socket that pid holds (pidfd_getfd(2), which needs the right to attach).
 * Returns a descriptor, close-on-exec, or a negative errno.
 */
int holder_copy(pid_t pid, ino_t inode);

/*
 * Closes fd. Returns whether it was the last copy in any process. probe is an epoll
 * instance for this alone (-1: none, and the answer is yes), opened anew here where it must
 * be. The socket must be ready for something: writable, say.
 */
bool holder_close_last(int *probe, int fd);

#endif
