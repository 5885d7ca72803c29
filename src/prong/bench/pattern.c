/*
 * Owns the sequence: a Weyl sequence of 64-bit words, folded once. It takes one
 * addition per word, which compilers turn into vector code.
 */
#include "pattern.h"

#include <string.h>

#define STRIDE UINT64_C(0x9e3779b97f4a7c15) /* odd, so no word repeats within 2^64 */

static uint64_t fold(uint64_t state)
{
	return state ^ (state >> 32);
}

static uint64_t state_at(uint64_t seed, uint64_t offset)
{
	return seed * UINT64_C(0xd1342543de82ef95) + (offset / 8) * STRIDE;
}

static size_t words_spanned(uint64_t offset, size_t length)
{
	return ((size_t)(offset % 8) + length + 7) / 8;
}

const char *pattern_fill(uint64_t *room, uint64_t seed, uint64_t offset, size_t length)
{
	uint64_t state = state_at(seed, offset);
	size_t words = words_spanned(offset, length);

	for (size_t i = 0; i < words; i++) {
		room[i] = fold(state);
		state += STRIDE;
	}
	return (const char *)room + offset % 8;
}

char *pattern_place(uint64_t *room, uint64_t offset)
{
	return (char *)room + offset % 8;
}

/*
 * Fills in the right bytes around the length ones, so that whole words can be compared.
 */
static void complete_ends(uint64_t *room, uint64_t state, size_t head, size_t length)
{
	size_t words = (head + length + 7) / 8;
	size_t tail = words * 8 - head - length;
	uint64_t first = fold(state);
	uint64_t last = fold(state + (words - 1) * STRIDE);

	memcpy(room, &first, head);
	memcpy((char *)room + head + length, (char *)&last + 8 - tail, tail);
}

bool pattern_matches(uint64_t *room, uint64_t seed, uint64_t offset, size_t length)
{
	uint64_t state = state_at(seed, offset);
	size_t words = words_spanned(offset, length);
	uint64_t wrong = 0;

	if (length == 0)
		return true;
	complete_ends(room, state, (size_t)(offset % 8), length);
	for (size_t i = 0; i < words; i++) {
		wrong |= room[i] ^ fold(state);
		state += STRIDE;
	}
	return wrong == 0;
}
