/*
 * Signals for a child and for the process group that it leads: a child may leave its
 * group, for that of its parent, say, and others may stay behind in it.
 */
#ifndef BASE_GROUP_H
#define BASE_GROUP_H

#include <sys/types.h>

/* kill(2) and getpgid(2), with negative errnos; a test has others. */
struct group_calls {
	int (*send)(pid_t pid, int number);
	pid_t (*group_of)(pid_t pid);
};

extern const struct group_calls group_calls;

/*
 * Sends a signal to the group that has the child's pid as its number, and to the child
 * itself where it is not in that group. The child must not have been collected yet: until
 * then the kernel gives its pid to no other process and no other group, so the signal
 * never reaches a process that the child is not related to. Returns 0 or the negative
 * errno for the child itself.
 */
int group_signal(const struct group_calls *calls, pid_t child, int number);

#endif
