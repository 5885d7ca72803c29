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
 * Whether the kernel has that list, and /proc is there. Returns 0, or a negative errno
 * with why filled, which begins with what, that needs it.
 */
int children_try(const char *what, struct why *why);

/* The same of another process, with one thread. */
int children_open_of(pid_t pid);

/*
 * When a process began, in clock ticks since boot: field 22 of /proc/PID/stat, proc(5).
 * Returns 0 if that cannot be read.
 */
uint64_t children_began(pid_t pid);

/*
 * Returns a time as above that separates two generations: every process that exists now
 * began by then, and every process that the caller starts later began after it. To make
 * that certain, the call sleeps until the next clock tick, 10 ms at most.
 */
uint64_t children_draw_line(void);

/* Calls visit for each child that the list has now. */
void children_each(int list, void (*visit)(void *arg, pid_t pid), void *arg);

#endif
