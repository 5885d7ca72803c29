#include "group.h"

#include <sys/syscall.h>

#include <signal.h>

#include "gate.h"

static int send_signal(pid_t pid, int number)
{
	return (int)GATE(kill, pid, number);
}

static pid_t group_of(pid_t pid)
{
	return (pid_t)GATE(getpgid, pid);
}

const struct group_calls group_calls = { send_signal, group_of };

int group_signal(const struct group_calls *calls, pid_t child, int number)
{
	int err = calls->send(-child, number);

	/*
	 * A signal that can be caught should arrive only once. SIGKILL goes to both,
	 * because the child may leave its group and return to it repeatedly.
	 */
	if (number != SIGKILL && err == 0 && calls->group_of(child) == child)
		return 0;
	return calls->send(child, number);
}
