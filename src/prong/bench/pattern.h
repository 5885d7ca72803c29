/*
 * The bytes a client sends and expects back: each depends on its position in the
 * stream and on the connection, so a byte lost, doubled, swapped or taken from
 * another connection is seen.
 *
 * Owns the sequence. It never allocates and never touches a descriptor.
 */
#ifndef PRONG_BENCH_PATTERN_H
#define PRONG_BENCH_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Words of room for length bytes at any position: they may lie across word ends. */
#define PATTERN_WORDS(length) ((length) / 8 + 2)

/*
 * Write bytes [offset, offset + length) of the stream seed into room, which has
 * PATTERN_WORDS(length) words. Returns where the first of them lies inside room.
 */
const char *pattern_fill(uint64_t *room, uint64_t seed, uint64_t offset, size_t length);

/* Where in room bytes that begin at offset must be read to, for pattern_matches(). */
char *pattern_place(uint64_t *room, uint64_t offset);

/*
 * Whether the length bytes at pattern_place(room, offset) are those of the stream
 * seed at offset. The rest of the first and the last word is overwritten.
 */
bool pattern_matches(uint64_t *room, uint64_t seed, uint64_t offset, size_t length);

#endif
