/*
 * What keeps programs of one user apart: a domain of landlock(7) for each. A process in a
 * domain may look into those processes alone that are in the same domain or in one
 * nested in it, whatever its user and its capabilities: by ptrace(2), /proc/PID/mem,
 * /proc/PID/fd, process_vm_readv(2), pidfd_getfd(2), kcmp(2), and all else that the kernel
 * checks as it checks ptrace(2). A program so still debugs its own children.
 *
 * A domain must restrict something besides. From Linux 6.12 on, that is connecting to
 * abstract UNIX sockets of processes outside: what programs miss least. Before, it is
 * mounting, and only programs that gain no privileges have a domain then.
 */
#ifndef ENGINE_DOMAIN_H
#define ENGINE_DOMAIN_H

#include <stdbool.h>

/* The version of landlock(7) that the kernel has, or a negative errno. */
int domain_version(void);

/*
 * Prepares domains. version is that of domain_version(); gains tells whether the processes
 * that enter them may gain privileges by execve(2). Returns a descriptor, close-on-exec, or
 * a negative errno.
 */
int domain_open(int version, bool gains);

/*
 * Puts the calling process into a domain of its own, for good; what it starts is in it,
 * too. Needs no_new_privs or CAP_SYS_ADMIN. Returns 0 or a negative errno; libc's errno
 * is untouched.
 */
int domain_enter(int domain);

#endif
