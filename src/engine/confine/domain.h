/*
 * Keeps programs of one user apart: each runs in its own domain of landlock(7). A
 * process in a domain may inspect only processes in the same domain or in one nested in
 * it, whatever its user and its capabilities. This covers ptrace(2), /proc/PID/mem,
 * /proc/PID/fd, process_vm_readv(2), pidfd_getfd(2), kcmp(2), and everything else that
 * the kernel checks like ptrace(2). A program can still debug its own children.
 *
 * A domain must also restrict something else. From Linux 6.12 on, that is connecting to
 * abstract UNIX sockets of processes outside, which programs miss least. On older
 * kernels it is mounting, and only programs that gain no privileges get a domain.
 */
#ifndef ENGINE_DOMAIN_H
#define ENGINE_DOMAIN_H

#include <stdbool.h>

/* The version of landlock(7) that the kernel has, or a negative errno. */
int domain_version(void);

/*
 * Prepares domains. version is that of domain_version(); gains tells whether the
 * processes that enter them may gain privileges by execve(2). Returns a descriptor,
 * close-on-exec, or a negative errno.
 */
int domain_open(int version, bool gains);

/*
 * Puts the calling process into a domain of its own, for good, together with all
 * processes that it starts. Needs no_new_privs or CAP_SYS_ADMIN. Returns 0 or a
 * negative errno; libc's errno is untouched.
 */
int domain_enter(int domain);

#endif
