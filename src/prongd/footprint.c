/*
 * Makes a fork of prongd copy less. Only for the static program: glibc puts the
 * thread's own data and malloc's memory into the heap of brk(2), which is far from
 * everything else, so every child gets one more mapping and three more pages of page
 * tables. Here both come from .bss. If a libc does not use these two functions, only
 * the gain is lost.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

/* malloc asks for 132 KiB first; if it gets no more, it uses a mapping. */
#define HEAP (512 * 1024)

static _Alignas(4096) char heap[HEAP];
static size_t used;

/* The prototypes are glibc's own. */
void *__sbrk(intptr_t increment);
void *_dl_early_allocate(size_t size);

/* Does what sbrk(2) does. */
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
 * Provides the main thread's data, which includes errno. It runs before relocation is
 * done and before errno exists, so it may not call any function.
 */
__attribute__((no_stack_protector)) void *_dl_early_allocate(size_t size)
{
	if (size > HEAP - used)
		return NULL;
	used += size;
	return heap + used - size;
}
