#include "turns.h"

#include <assert.h>

unsigned turns_first(const struct turns *turns)
{
	uint64_t ahead = turns->waiting & (UINT64_MAX << turns->next);

	assert(turns->waiting != 0);
	return (unsigned)__builtin_ctzll(ahead != 0 ? ahead : turns->waiting);
}

void turns_pass(struct turns *turns, unsigned index)
{
	turns->next = (index + 1) % TURNS_MAX;
}

void turns_drop(struct turns *turns, unsigned index)
{
	turns->waiting &= ~turns_bit(index);
}
