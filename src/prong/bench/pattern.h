/*
 * The bytes that a client sends and expects back. Each byte depends on its position in
 * the stream and on the connection, so a byte that is lost, doubled, swapped or taken
 * from another connection is noticed.
 *
 * Owns the sequence. It never allocates and never touches a descriptor.
 */
#ifndef PRONG_BENCH_PATTERN_H
#define PRONG_BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Words needed for length bytes at any position: they may begin or end within a word.
 */
#define PATTERN_WORDS(length) ((length) / 8 + 2)

/*
 * Writes bytes [offset, offset + length) of the stream seed into room, which has
 * PATTERN_WORDS(length) words. Returns the address of the first of them in room.
 */
const char *pattern_fill(uint64_t *room, uint64_t seed, uint64_t offset, size_t length);

/* Where in room to put bytes that begin at offset, for pattern_matches(). */
char *pattern_place(uint64_t *room, uint64_t offset);

/*
 * Whether the length bytes at pattern_place(room, offset) are those of the stream seed
 * at offset. Overwrites the rest of the first and the last word.
 */
bool pattern_matches(uint64_t *room, uint64_t seed, uint64_t offset, size_t length);

#endif
