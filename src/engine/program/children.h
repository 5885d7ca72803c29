/* The children of the calling thread, as the kernel lists them: proc(5). */
#ifndef ENGINE_CHILDREN_H
#define ENGINE_CHILDREN_H

#include <stdint.h>
#include <sys/types.h>

#include "base/why.h"

/*
 * Opens the list, /proc/thread-self/children. Returns a descriptor, close-on-exec, or -1
 * with errno set. It stays readable after a chroot(2).
 */
int children_open(void);

/*
 * Whether the kernel has that list and /proc is mounted. Returns 0, or a negative errno
 * with a sentence in why, which begins with what, the option that needs it.
 */
int children_try(const char *what, struct why *why);

/* The same for another process, which has one thread. */
int children_open_of(pid_t pid);

/*
 * When a process began, in clock ticks since boot: field 22 of /proc/PID/stat, proc(5).
 * Returns 0 if that cannot be read.
 */
uint64_t children_began(pid_t pid);

/*
 * Returns a time, in the same unit, that separates two generations: every process that
 * exists now began at or before it, and every process that the caller starts later
 * begins after it. To make sure of that the call sleeps until the next clock tick, at
 * most 10 ms.
 */
uint64_t children_draw_line(void);

/* Calls visit for each child that is on the list now. */
void children_each(int list, void (*visit)(void *arg, pid_t pid), void *arg);

#endif
