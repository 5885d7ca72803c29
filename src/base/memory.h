/*
 * Memory mappings for which fork(2) behaves specially. A private mapping belongs to the
 * supervisor alone: children do not get it, so forking neither copies its page tables
 * nor makes its pages copy-on-write (madvise(2), MADV_DONTFORK). A shared mapping is
 * the same memory in all processes.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Both return zeroed memory, reserved but not yet used, or NULL with errno set. */
void *memory_private(size_t size);
void *memory_shared(size_t size);

/* Releases the memory that either returned; NULL is allowed. */
void memory_release(void *memory, size_t size);

#endif
