#include "prong/bench/pattern.h"

#include <string.h>

#include "check.h"

#define STREAM 100

/* At any position and length: what was sent matches, and nothing else does. */
static void one_wrong_bit_is_seen(void **state)
{
	uint64_t out[PATTERN_WORDS(STREAM)];
	uint64_t in[PATTERN_WORDS(STREAM)];

	(void)state;
	for (uint64_t offset = 0; offset < 17; offset++) {
		for (size_t length = 1; length < STREAM; length++) {
			const char *sent = pattern_fill(out, 7, offset, length);
			char *place = pattern_place(in, offset);

			memcpy(place, sent, length);
			assert_true(pattern_matches(in, 7, offset, length));
			assert_false(pattern_matches(in, 8, offset, length));
			memcpy(place, sent, length);
			place[length / 2] ^= 4;
			assert_false(pattern_matches(in, 7, offset, length));
			memcpy(pattern_place(in, offset + 1), sent, length);
			assert_false(pattern_matches(in, 7, offset + 1, length));
		}
	}
}

/* Read in pieces of any size, it is the same stream. */
static void pieces_of_any_length_make_up_the_stream(void **state)
{
	static char stream[1000];
	uint64_t out[PATTERN_WORDS(sizeof(stream))];
	uint64_t in[PATTERN_WORDS(sizeof(stream))];
	size_t offset = 0;

	(void)state;
	memcpy(stream, pattern_fill(out, 3, 0, sizeof(stream)), sizeof(stream));
	for (size_t length = 1; offset + length <= sizeof(stream); length++) {
		memcpy(pattern_place(in, offset), stream + offset, length);
		assert_true(pattern_matches(in, 3, offset, length));
		assert_memory_equal(pattern_fill(out, 3, offset, length),
				    stream + offset, length);
		offset += length;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(one_wrong_bit_is_seen),
		promise(pieces_of_any_length_make_up_the_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
