#include "kept.h"

#include <string.h>

#include "check.h"

void keep(void *arg, const char *line, size_t length)
{
	struct kept *kept = arg;

	assert_int_equal(strlen(line), length);
	assert_null(strchr(line, '\n'));
	assert_true(length + 2 <= sizeof(kept->text) - kept->length);
	memcpy(kept->text + kept->length, line, length);
	kept->length += length;
	kept->text[kept->length++] = '\n';
	kept->text[kept->length] = '\0';
}

unsigned kept_count(const struct kept *kept, const char *part)
{
	const char *at = kept->text;
	unsigned count = 0;

	while ((at = strstr(at, part)) != NULL) {
		at = strchr(at, '\n');
		count++;
	}
	return count;
}

void kept_forget(struct kept *kept)
{
	kept->length = 0;
	kept->text[0] = '\0';
}
