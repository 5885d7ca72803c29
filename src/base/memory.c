#include "memory.h"

#include <sys/mman.h>

static void *map(size_t size, int sharing)
{
	void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    sharing | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	return memory == MAP_FAILED ? NULL : memory;
}

void *memory_private(size_t size)
{
	void *memory = map(size, MAP_PRIVATE);

	/* If the kernel refuses, speed and hygiene suffer, but not correctness. */
	if (memory != NULL)
		madvise(memory, size, MADV_DONTFORK);
	return memory;
}

void *memory_shared(size_t size)
{
	return map(size, MAP_SHARED);
}

void memory_release(void *memory, size_t size)
{
	if (memory != NULL)
		munmap(memory, size);
}
