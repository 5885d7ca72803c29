/*
 * What a fork of prongd has to copy, made less. Only for the static program: glibc puts
 * the thread's own data and malloc's memory into the heap of brk(2), which lies far from
 * everything else, so that every child gets a mapping and three pages of page tables
 * more. Here both come from .bss. Where a libc does without these two functions,
 * nothing is lost but the gain.
 */
#include "footprint.h"

#include <sys/mman.h>

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

/* The linker's: where the program begins; and where its code does. */
extern const char __ehdr_start[];
extern void _init(void);

/*
 * What lies between serves the loading of the program: symbols and relocations. Also what
 * unwinding a stack, or loading libraries, begins with, which no service does.
 */
void footprint_reduce(void)
{
	static const char constant[] = "some linkers put constants there as well";
	uintptr_t from = (uintptr_t)__ehdr_start;
	uintptr_t to = (uintptr_t)_init & ~((uintptr_t)sysconf(_SC_PAGESIZE) - 1);
	uintptr_t used_by_all = (uintptr_t)constant;

	if (used_by_all >= from && used_by_all < to)
		return;
	/* A kernel that refuses costs speed, no correctness. */
	if (to > from)
		madvise((void *)from, to - from, MADV_DONTFORK);
}
