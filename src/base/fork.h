/*
 * fork(3), and a shorter way to the same result.
 *
 * libc notes things about its threads that a new process must not inherit: the thread's
 * id, with which a recursive, an error-checking or a robust mutex knows its owner, and
 * the list of robust mutexes, which the kernel walks when their owner dies
 * (get_robust_list(2)). In a process that has one thread, never had another, and has no
 * functions of pthread_atfork(3), these two are all that fork(3) has to put right. The
 * short way does that and no more: it saves the child half a dozen page faults.
 */
#ifndef BASE_FORK_H
#define BASE_FORK_H

#include <stdbool.h>
#include <sys/types.h>

struct robust_list_head;

/* How the calling thread's children are made. */
struct fork_way {
	bool is_short;
	int *tid; /* where libc keeps the thread's id; NULL: it is not corrected */
	struct robust_list_head *robust; /* libc's list; NULL: not known */
};

/*
 * Promises, for all that the program forks from now on, that no child uses a lock that is
 * shared between processes or that knows its owner. The short way then corrects nothing,
 * which saves the child one page fault more.
 */
void fork_without_thread_id(void);

/*
 * Chooses the way for this thread: the short one only if all that it rests on has been
 * seen to hold. A shared object may have registered functions with pthread_atfork(3) if
 * it refers to that; of a static program this cannot be seen, and is taken to be false.
 */
void fork_choose(struct fork_way *way);

/*
 * fork(3), by way, in the thread that chose it; its clone(2) goes through the gate in the
 * short way. Returns 0 in the child, in the parent its pid or a negative errno.
 */
pid_t fork_by(const struct fork_way *way);

#endif
