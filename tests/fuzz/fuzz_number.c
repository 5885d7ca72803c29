/* Numbers, sizes and durations: an accepted value is what a second parser computes. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/number.h"
#include "fuzz.h"

/* Only digits; strtoull(3) also accepts other characters, and would not report them. */
static bool is_digits(const char *text)
{
	return *text != '\0' && text[strspn(text, "0123456789")] == '\0';
}

static void read_number(const char *text)
{
	uint64_t value = 1, bounded = 7;
	int err = number_parse(text, 0, UINT64_MAX, &value);
	unsigned long long expected;

	if (!is_digits(text)) {
		/* An overflow is reported before any characters after the number. */
		CHECK(err == -EINVAL || err == -ERANGE);
		return;
	}
	errno = 0;
	expected = strtoull(text, NULL, 10);
	CHECK(err == (errno == ERANGE ? -ERANGE : 0));
	CHECK(err < 0 ? value == 1 : value == expected);
	CHECK(number_parse(text, 10, 65535, &bounded) ==
	      (err == 0 && value >= 10 && value <= 65535 ? 0 : -ERANGE));
}

static void read_size(const char *text)
{
	uint64_t value, again;
	char number[24];

	if (number_parse_size(text, 1, UINT64_MAX, &value) < 0)
		return;
	CHECK(isdigit((unsigned char)text[0]));
	snprintf(number, sizeof(number), "%" PRIu64, value);
	CHECK(number_parse_size(number, 1, UINT64_MAX, &again) == 0 && again == value);
}

static void read_duration(const char *text)
{
	int64_t ms = -1, again = -1;
	char number[32];

	if (number_parse_duration(text, &ms) < 0) {
		CHECK(ms == -1);
		return;
	}
	CHECK(ms >= 0 && ms <= NUMBER_DURATION_MAX_MS);
	snprintf(number, sizeof(number), "%" PRId64 "ms", ms);
	CHECK(number_parse_duration(number, &again) == 0 && again == ms);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);

	read_number(text);
	read_size(text);
	read_duration(text);
	free(text);
	return 0;
}
