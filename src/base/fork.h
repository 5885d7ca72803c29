/*
 * fork(3), and a shorter way to the same result.
 *
 * libc keeps state about its threads that a new process must not inherit: the id of the
 * thread, by which a recursive, an error-checking or a robust mutex knows its owner,
 * and the list of robust mutexes, which the kernel walks when their owner dies
 * (get_robust_list(2)). In a process that has one thread, never had another, and has no
 * functions of pthread_atfork(3), fork(3) has nothing else to put right. The short way
 * does only that; it saves the child half a dozen page faults.
 */
#ifndef BASE_FORK_H
#define BASE_FORK_H

#include <stdbool.h>
#include <sys/types.h>

struct robust_list_head;

/* How the calling thread makes its children. */
struct fork_way {
	bool is_short;
	int *tid; /* where libc keeps the thread's id; NULL: it is left as it is */
	struct robust_list_head *robust; /* libc's list; NULL: unknown */
};

/*
 * Promises, for every process that the program forks from now on, that no child uses a
 * lock that is shared between processes or that knows its owner. The short way then
 * corrects nothing, which saves the child one more page fault.
 */
void fork_without_thread_id(void);

/*
 * Chooses the way for this thread: the short one only if everything that it relies on
 * has been checked. A shared object that refers to pthread_atfork(3) may have
 * registered functions with it. In a static program this cannot be seen, and the
 * program is assumed to have none.
 */
void fork_choose(struct fork_way *way);

/*
 * Does what fork(3) does, in the way chosen by the same thread. In the short way
 * clone(2) goes through the gate. Returns 0 in the child, in the parent its pid or a
 * negative errno.
 */
pid_t fork_by(const struct fork_way *way);

#endif
