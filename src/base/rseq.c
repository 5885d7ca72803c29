#include "rseq.h"

#if defined(__has_include) && __has_include(<sys/rseq.h>)

#include <sys/rseq.h>
#include <sys/syscall.h>

#include <stddef.h>
#include <unistd.h>

#define AREA 32 /* bytes: the smallest area allowed, which libc registers */

static bool call(int flags)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;
	size_t size = __rseq_size <= AREA ? AREA : (__rseq_size + 31) / 32 * 32;

	return __rseq_size > 0 && syscall(SYS_rseq, area, size, flags, RSEQ_SIG) == 0;
}

bool rseq_end(void)
{
	return call(RSEQ_FLAG_UNREGISTER);
}

void rseq_begin(void)
{
	call(0);
}

#else

bool rseq_end(void)
{
	return false;
}

void rseq_begin(void)
{
}

#endif
