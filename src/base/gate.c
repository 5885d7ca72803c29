#include "gate.h"

#include <errno.h>
#include <unistd.h>

#if GATE_EXISTS

extern const char gate_page[], gate_after_call[];

/*
 * The system call instruction ends its page: a child that it makes without that page
 * returns to the next page, which the child has. The section name "unlikely" puts the
 * gate first in the text, so that what a child calls lies together after the page. The
 * arguments come as those of a C function and leave as those of a system call:
 * syscall(2), "Architecture calling conventions". On ARM64 a page may have 64 KiB.
 */
#if defined(__x86_64__)
__asm__(".pushsection .text.unlikely.gate, \"ax\", @progbits\n"
	".hidden gate_page, gate_after_call, gate_call\n"
	".globl gate_page, gate_after_call, gate_call\n"
	".balign 4096, 0xcc\n"
	"gate_page:\n"
	"	.skip 4094, 0xcc\n"
	"0:	syscall\n"
	"gate_after_call:\n"
	"	ret\n"
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
	"	jmp 0b\n"
	"	.cfi_endproc\n"
	".size gate_call, . - gate_call\n"
	".popsection\n");
#else
__asm__(".pushsection .text.unlikely.gate, \"ax\", @progbits\n"
	".hidden gate_page, gate_after_call, gate_call\n"
	".globl gate_page, gate_after_call, gate_call\n"
	".balign 65536\n"
	"gate_page:\n"
	"	.skip 65532\n"
	"0:	svc #0\n"
	"gate_after_call:\n"
	"	ret\n"
	".type gate_call, @function\n"
	"gate_call:\n"
	"	.cfi_startproc\n"
	"	hint 34\n" /* this is "bti c" */
	"	mov x8, x0\n"
	"	mov x0, x1\n"
	"	mov x1, x2\n"
	"	mov x2, x3\n"
	"	mov x3, x4\n"
	"	mov x4, x5\n"
	"	mov x5, x6\n"
	"	b 0b\n"
	"	.cfi_endproc\n"
	".size gate_call, . - gate_call\n"
	".popsection\n");
#endif

struct gate gate_place(void)
{
	struct gate gate = {
		.page = (void *)(size_t)gate_page,
		.size = (size_t)(gate_after_call - gate_page),
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
