/*
 * A system call made inline, as syscall(2) makes it but without libc: it touches
 * neither errno nor a page of libc. In a process that lives for one connection each of
 * these would be a page fault, which costs 3 % of its life. Not for calls for which
 * libc does more than the call itself, such as thread cancellation, which no worker
 * uses.
 */
#ifndef BASE_CALL_H
#define BASE_CALL_H

#include <sys/syscall.h>

#include <errno.h>
#include <unistd.h>

/*
 * Like syscall(2), with up to six arguments that are numbers or pointers. Returns the
 * kernel's result or a negative errno.
 */
#define CALL(number, ...) CALL_SIX(number, __VA_ARGS__, 0, 0, 0, 0, 0, 0)
#define CALL_SIX(number, a, b, c, d, e, f, ...)                               \
	call_kernel(SYS_##number, (long)(a), (long)(b), (long)(c), (long)(d), \
		    (long)(e), (long)(f))

static inline long call_kernel(long number, long a, long b, long c, long d, long e,
			       long f)
{
#if defined(__x86_64__) && !defined(__ILP32__)
	register long fourth __asm__("r10") = d;
	register long fifth __asm__("r8") = e;
	register long sixth __asm__("r9") = f;
	long result;

	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(fourth), "r"(fifth),
			   "r"(sixth)
			 : "rcx", "r11", "memory");
	return result;
#elif defined(__aarch64__)
	register long call __asm__("x8") = number;
	register long first __asm__("x0") = a;
	register long second __asm__("x1") = b;
	register long third __asm__("x2") = c;
	register long fourth __asm__("x3") = d;
	register long fifth __asm__("x4") = e;
	register long sixth __asm__("x5") = f;

	__asm__ volatile("svc #0"
			 : "+r"(first)
			 : "r"(call), "r"(second), "r"(third), "r"(fourth), "r"(fifth),
			   "r"(sixth)
			 : "memory");
	return first;
#else
	int before = errno;
	long result = syscall(number, a, b, c, d, e, f);

	if (result == -1)
		result = -errno;
	errno = before;
	return result;
#endif
}

/* _exit(2) */
static inline _Noreturn void call_exit(int status)
{
	for (;;)
		CALL(exit_group, status);
}

#endif
