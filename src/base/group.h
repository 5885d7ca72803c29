/*
 * Signals to a child and to the process group that it leads. A child may leave its
 * group, for example for that of its parent, and other processes may stay in it.
 */
#ifndef BASE_GROUP_H
#define BASE_GROUP_H

#include <sys/types.h>

/* kill(2) and getpgid(2), which return negative errnos; tests use their own. */
struct group_calls {
	int (*send)(pid_t pid, int number);
	pid_t (*group_of)(pid_t pid);
};

extern const struct group_calls group_calls;

/*
 * Sends a signal to the group whose number is the child's pid, and also to the child
 * itself if it is not in that group. The child must not have been reaped yet: until
 * then the kernel gives its pid to no other process or group, so the signal reaches
 * only processes that are related to the child. Returns 0 or the negative errno for the
 * child itself.
 */
int group_signal(const struct group_calls *calls, pid_t child, int number);

#endif
