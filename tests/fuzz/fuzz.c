#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_check(bool held, const char *what, const char *file, int line)
{
	if (held)
		return;
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

char *fuzz_text(const uint8_t *data, size_t size)
{
	size_t length = size > 0 ? strnlen((const char *)data, size) : 0;
	char *text = malloc(length + 1);

	CHECK(text != NULL);
	if (length > 0)
		memcpy(text, data, length);
	text[length] = '\0';
	return text;
}

size_t fuzz_split(char *text, char **parts, size_t max)
{
	size_t count = 0;

	while (text != NULL && count < max)
		parts[count++] = strsep(&text, "\n");
	return count;
}
