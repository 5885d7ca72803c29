/*
 * What a fork of prongd has to copy, made less. Only for the static program: glibc puts
 * the thread's own data and malloc's memory into the heap of brk(2), which lies far from
 * everything else, so that every child gets a mapping and three pages of page tables
 * more. Here both come from .bss. Where a libc does without these two functions,
 * nothing is lost but the gain.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

/* malloc asks for 132 KiB first; when it gets no more, it takes a mapping. */
#define HEAP (512 * 1024)

static _Alignas(4096) char heap[HEAP];
static size_t used;

/* The prototypes are glibc's own. */
void *__sbrk(intptr_t increment);
void *_dl_early_allocate(size_t size);

/* As sbrk(2). */
void *__sbrk(intptr_t increment)
{
	void *before = heap + used;

	if (increment > (intptr_t)(HEAP - used) || increment < -(intptr_t)used) {
		errno = ENOMEM;
		return (void *)-1;
	}
	used = (size_t)((intptr_t)used + increment);
	return before;
}

void *sbrk(intptr_t increment)
{
	return __sbrk(increment);
}

/*
 * The main thread's data, of which errno is part: before relocation by address is done
 * and before there is an errno, so nothing may be called here.
 */
__attribute__((no_stack_protector)) void *_dl_early_allocate(size_t size)
{
	if (size > HEAP - used)
		return NULL;
	used += size;
	return heap + used - size;
}
