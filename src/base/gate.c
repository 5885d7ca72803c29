#include "gate.h"

#include <errno.h>
#include <unistd.h>

#if GATE_EXISTS

extern const char gate_page[], gate_after_call[], gate_page_end[];

/*
 * Alone on its page, or on as many as the largest that the kernel may use. The
 * arguments come as those of a C function and leave as those of a system call:
 * syscall(2), "Architecture calling conventions".
 */
#if defined(__x86_64__)
__asm__(".pushsection .text.gate, \"ax\", @progbits\n"
	".balign 4096\n"
	".hidden gate_page\n"
	".globl gate_page\n"
	"gate_page:\n"
	".hidden gate_call\n"
	".globl gate_call\n"
	".type gate_call, @function\n"
	"gate_call:\n"
	"	.cfi_startproc\n"
	"	endbr64\n"
	"	mov %rdi, %rax\n"
	"	mov %rsi, %rdi\n"
	"	mov %rdx, %rsi\n"
	"	mov %rcx, %rdx\n"
	"	mov %r8, %r10\n"
	"	mov %r9, %r8\n"
	"	mov 8(%rsp), %r9\n"
	"	syscall\n"
	".hidden gate_after_call\n"
	".globl gate_after_call\n"
	"gate_after_call:\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size gate_call, . - gate_call\n"
	".balign 4096, 0xcc\n"
	".hidden gate_page_end\n"
	".globl gate_page_end\n"
	"gate_page_end:\n"
	".popsection\n");
#else
__asm__(".pushsection .text.gate, \"ax\", @progbits\n"
	".balign 65536\n"
	".hidden gate_page\n"
	".globl gate_page\n"
	"gate_page:\n"
	".hidden gate_call\n"
	".globl gate_call\n"
	".type gate_call, @function\n"
	"gate_call:\n"
	"	.cfi_startproc\n"
	"	hint 34\n" /* bti c */
	"	mov x8, x0\n"
	"	mov x0, x1\n"
	"	mov x1, x2\n"
	"	mov x2, x3\n"
	"	mov x3, x4\n"
	"	mov x4, x5\n"
	"	mov x5, x6\n"
	"	svc #0\n"
	".hidden gate_after_call\n"
	".globl gate_after_call\n"
	"gate_after_call:\n"
	"	ret\n"
	"	.cfi_endproc\n"
	".size gate_call, . - gate_call\n"
	".balign 65536\n"
	".hidden gate_page_end\n"
	".globl gate_page_end\n"
	"gate_page_end:\n"
	".popsection\n");
#endif

struct gate gate_place(void)
{
	struct gate gate = {
		.page = (void *)(size_t)gate_page,
		.size = (size_t)(gate_page_end - gate_page),
		.instruction = gate_after_call,
	};

	return gate;
}

#else

long gate_call(long number, long a, long b, long c, long d, long e, long f)
{
	int before = errno;
	long result = syscall(number, a, b, c, d, e, f);

	if (result == -1)
		result = -errno;
	errno = before;
	return result;
}

struct gate gate_place(void)
{
	return (struct gate){ 0 };
}

#endif
