/*
 * The gate: a page of code whose one system call instruction may make every system
 * call, when the sandbox (engine/sandbox.c) forbids most of them everywhere else. A
 * process without the page has given them up for good. Where nothing is forbidden it is
 * a plain syscall(2).
 */
#ifndef BASE_GATE_H
#define BASE_GATE_H

#include <sys/syscall.h>

#include <stddef.h>

/*
 * Makes the system call. Returns what the kernel does: a result, or a negative errno;
 * errno itself is untouched.
 */
long gate_call(long number, long a, long b, long c, long d, long e, long f);

/* As syscall(2), for up to six arguments that are numbers or pointers. */
#define GATE(number, ...) GATE_SIX(number, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define GATE_SIX(number, a, b, c, d, e, f, ...)                                        \
	gate_call(SYS_##number, (long)(a), (long)(b), (long)(c), (long)(d), (long)(e), \
		  (long)(f))

/* Whether there is one for this processor. */
#if (defined(__x86_64__) && !defined(__ILP32__)) || \
	(defined(__aarch64__) && defined(__AARCH64EL__))
#define GATE_EXISTS 1
#else
#define GATE_EXISTS 0
#endif

/* The page, and the instruction behind that of the system call, as seccomp(2) has it. */
struct gate {
	void *page;
	size_t size;
	const void *instruction;
};

struct gate gate_place(void);

#endif
