/*
 * The gate: a page of code with one system call instruction, from which every system
 * call may be made while the sandbox (confine/sandbox.c) forbids most of them
 * everywhere else. A process that gives up the page can never make them again. Where
 * nothing is forbidden it works like syscall(2).
 */
#ifndef BASE_GATE_H
#define BASE_GATE_H

#include <sys/syscall.h>

#include <stddef.h>

/*
 * Makes the system call. Returns the kernel's result or a negative errno; errno itself
 * is untouched.
 */
long gate_call(long number, long a, long b, long c, long d, long e, long f);

/* Like syscall(2), with up to six arguments that are numbers or pointers. */
#define GATE(number, ...) GATE_SIX(number, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define GATE_SIX(number, a, b, c, d, e, f, ...)                                        \
	gate_call(SYS_##number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), \
		  (long)(f))

/* Whether there is a gate for this processor. */
#if (defined(__x86_64__) && !defined(__ILP32__)) || \
	(defined(__aarch64__) && defined(__AARCH64EL__))
#define GATE_EXISTS 1
#else
#define GATE_EXISTS 0
#endif

/*
 * The page, and the address after the system call instruction, as seccomp(2) reports
 * it.
 */
struct gate {
	void *page;
	size_t size;
	const void *instruction;
};

struct gate gate_place(void);

#endif
