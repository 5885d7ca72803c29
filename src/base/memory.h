/*
 * Mappings with a say in what fork(2) does to them. A private one is the
 * supervisor's alone: children do not get it, so forking neither copies its page
 * tables nor makes its pages copy-on-write (madvise(2), MADV_DONTFORK). A shared
 * one is the same memory in all of them.
 */
#ifndef BASE_MEMORY_H
#define BASE_MEMORY_H

#include <stddef.h>

/* Both return zeroed memory, reserved but not yet used, or NULL with errno set. */
void *memory_private(size_t size);
void *memory_shared(size_t size);

/* Releases what either returned; NULL is allowed. */
void memory_release(void *memory, size_t size);

#endif
