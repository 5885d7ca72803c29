#include "trap.h"

#include <sys/syscall.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/gate.h"
#include "engine/record/reason.h"
#include "engine/record/scoreboard.h"

#if GATE_EXISTS

#ifndef SYS_SECCOMP
#define SYS_SECCOMP 1 /* si_code of a SIGSYS by SECCOMP_RET_TRAP */
#endif

#define BIT(number) (UINT64_C(1) << ((number)-1))

/*
 * In a worker: where the handler of SIGSYS notes what was tried. The supervisor puts
 * the pointer on its stack, of which each child gets a copied page anyway.
 */
static struct score_row *unplaced;
static struct score_row **confined = &unplaced;

/* A trapped call: its number, its six arguments, and the place of its result. */
struct trapped {
	long number;
	long at[6];
	long *result;
};

static struct trapped trapped_call(const siginfo_t *info, ucontext_t *user)
{
	struct trapped call = { .number = info->si_syscall };

#if defined(__x86_64__)
	static const int registers[] = { REG_RDI, REG_RSI, REG_RDX,
					 REG_R10, REG_R8,  REG_R9 };

	for (int i = 0; i < 6; i++)
		call.at[i] = (long)user->uc_mcontext.gregs[registers[i]];
	call.result = (long *)&user->uc_mcontext.gregs[REG_RAX];
#else
	for (int i = 0; i < 6; i++)
		call.at[i] = (long)user->uc_mcontext.regs[i];
	call.result = (long *)&user->uc_mcontext.regs[0];
#endif
	return call;
}

/*
 * The error with which a call must fail even in the supervisor; 0: it may be made. A
 * child in our memory would return from the handler before us, on our stack. A program
 * would have the filter but not the gate.
 */
static int refusal(const struct trapped *call)
{
#ifdef SYS_vfork
	if (call->number == SYS_vfork)
		return -ENOSYS;
#endif
	if (call->number == SYS_clone3 ||
	    (call->number == SYS_clone && (call->at[0] & CLONE_VM) != 0))
		return -ENOSYS;
	return call->number == SYS_execve || call->number == SYS_execveat ? -EPERM : 0;
}

/*
 * realloc(3) tries mremap(2), which could bring the gate back; it also works without.
 * No other trapped call is part of what a handler may do.
 */
static void stop_worker(const struct trapped *call)
{
	if (call->number == SYS_mremap) {
		*call->result = -ENOMEM;
		return;
	}
	atomic_store(&(*confined)->forbidden_call, (int)((unsigned)call->number + 1));
	_exit(reason_exit_status(REASON_CRASH_SANDBOX));
}

/* Does what rt_sigprocmask(2) does, on the mask that the handler's return restores. */
static long change_mask(const struct trapped *call, ucontext_t *user)
{
	const uint64_t *set = (const uint64_t *)call->at[1];
	uint64_t *old = (uint64_t *)call->at[2];
	uint64_t mask, before;

	if (call->at[3] != sizeof(mask))
		return -EINVAL;
	memcpy(&before, &user->uc_sigmask, sizeof(before));
	mask = before;
	if (set != NULL) {
		if (call->at[0] == SIG_BLOCK)
			mask |= *set;
		else if (call->at[0] == SIG_UNBLOCK)
			mask &= ~*set;
		else if (call->at[0] == SIG_SETMASK)
			mask = *set;
		else
			return -EINVAL;
	}
	mask &= ~(BIT(SIGKILL) | BIT(SIGSTOP) | BIT(SIGSYS));
	memcpy(&user->uc_sigmask, &mask, sizeof(mask));
	if (old != NULL)
		*old = before;
	return 0;
}

static long make_call(const struct trapped *call)
{
	return gate_call(call->number, call->at[0], call->at[1], call->at[2],
			 call->at[3], call->at[4], call->at[5]);
}

/* Other handlers must not block our signal while they run, nor replace its handler. */
static long change_action(struct trapped call)
{
	struct {
		void (*handler)(int);
		unsigned long flags;
		void (*restorer)(void);
		uint64_t mask;
	} action; /* in the kernel's layout */

	if (call.at[1] == 0)
		return make_call(&call);
	if (call.at[0] == SIGSYS)
		return -EINVAL;
	memcpy(&action, (const void *)call.at[1], sizeof(action));
	action.mask &= ~BIT(SIGSYS);
	call.at[1] = (long)&action;
	return make_call(&call);
}

static void on_trap(int number, siginfo_t *info, void *context)
{
	ucontext_t *user = context;
	struct trapped call;

	(void)number;
	if (info->si_code != SYS_SECCOMP)
		return;
	call = trapped_call(info, user);
	*call.result = refusal(&call);
	if (call.number == SYS_rt_sigprocmask)
		*call.result = change_mask(&call, user);
	else if (*confined != NULL)
		stop_worker(&call);
	else if (call.number == SYS_rt_sigaction)
		*call.result = change_action(call);
	else if (*call.result == 0)
		*call.result = make_call(&call);
	/*
	 * The return from this handler would otherwise restore the old stack
	 * (sigreturn(2)).
	 */
	if (call.number == SYS_sigaltstack)
		GATE(sigaltstack, NULL, &user->uc_stack);
}

int trap_install(void)
{
	struct sigaction action = {
		.sa_sigaction = on_trap,
		.sa_flags = SA_SIGINFO | SA_NODEFER,
	};
	sigset_t trap;

	sigemptyset(&action.sa_mask);
	sigemptyset(&trap);
	sigaddset(&trap, SIGSYS);
	if (sigaction(SIGSYS, &action, NULL) < 0 ||
	    sigprocmask(SIG_UNBLOCK, &trap, NULL) < 0)
		return -errno;
	return 0;
}

void trap_confine(struct score_row *row)
{
	*confined = row;
}

void trap_place(struct score_row **place)
{
	confined = place != NULL ? place : &unplaced;
}

#endif
