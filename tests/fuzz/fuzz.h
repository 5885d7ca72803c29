/* What the fuzzers share. Each has one LLVMFuzzerTestOneInput(), which libFuzzer calls. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Unless condition is true, ends the fuzzer and has its input saved. */
#define CHECK(condition) fuzz_check((condition), #condition, __FILE__, __LINE__)

void fuzz_check(bool held, const char *what, const char *file, int line);

/* Called by libFuzzer with each input; returns 0. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * The input as a string, in memory of exactly its size, so that reading a byte beyond
 * it is noticed. It ends at its first NUL. The caller frees it.
 */
char *fuzz_text(const uint8_t *data, size_t size);

/*
 * Cuts text, which it writes to, at each newline. Fills parts with up to max of them, and
 * returns how many there are.
 */
size_t fuzz_split(char *text, char **parts, size_t max);

#endif
