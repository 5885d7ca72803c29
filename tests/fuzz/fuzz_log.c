/*
 * Lines of the log: whatever a client sends, a line is one line of ASCII, is
 * well-formed, and gives back what went in. The first byte of the input chooses the
 * format. Each line after it is a value; a line that is one digit is a number.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "fuzz.h"
#include "json_text.h"

#define VALUES_MAX 40

struct seen {
	char line[LOG_LINE_MAX + 1];
	unsigned lines;
};

static void see(void *arg, const char *line, size_t length)
{
	struct seen *seen = arg;

	CHECK(length < sizeof(seen->line) && line[length] == '\0');
	CHECK(strlen(line) == length);
	memcpy(seen->line, line, length + 1);
	seen->lines++;
}

/* Takes a character, or its escape, from *text. Returns its byte. */
static unsigned char unescape(const char **text)
{
	const char *at = *text;
	unsigned byte;

	if (*at != '\\') {
		*text = at + 1;
		return (unsigned char)*at;
	}
	if (at[1] == '"' || at[1] == '\\') {
		*text = at + 2;
		return (unsigned char)at[1];
	}
	CHECK(at[1] == 'x' && isxdigit((unsigned char)at[2]) &&
	      isxdigit((unsigned char)at[3]));
	CHECK(sscanf(at + 2, "%2x", &byte) == 1);
	*text = at + 4;
	return (unsigned char)byte;
}

/*
 * Skips a value of logfmt, which must be expected (if not NULL) or a beginning of it.
 */
static const char *walk_value(const char *text, const char *expected)
{
	bool quoted = *text == '"';
	const char *end = quoted ? "\"" : " ";

	text += quoted;
	while (*text != '\0' && *text != *end) {
		unsigned char byte = unescape(&text);

		if (expected != NULL)
			CHECK(byte == (unsigned char)*expected++);
	}
	CHECK(!quoted || *text == '"');
	return text + quoted;
}

/* "key=value key=value", with the values in the order in which they went in. */
static void check_logfmt(const char *line, char **values, size_t count)
{
	size_t next = 0;

	for (const char *text = line; *text != '\0';) {
		const char *key = text;

		text += strspn(text, "abcdefghijklmnopqrstuvwxyz");
		CHECK(text > key && *text == '=');
		if (strncmp(key, "value=", 6) == 0) {
			CHECK(next < count);
			text = walk_value(text + 1, values[next++]);
		} else {
			text = walk_value(text + 1, NULL);
		}
		CHECK(*text == '\0' || (text[0] == ' ' && text[1] != '\0'));
		text += *text == ' ';
	}
}

static void check_ascii(const char *line)
{
	for (; *line != '\0'; line++)
		CHECK(*line >= ' ' && *line <= '~');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *values[VALUES_MAX];
	struct seen seen = { .lines = 0 };
	size_t count;
	struct log log;
	char *text;

	if (size == 0)
		return 0;
	text = fuzz_text(data + 1, size - 1);
	count = fuzz_split(text, values, VALUES_MAX);
	CHECK(log_open(&log, -1, see, &seen) == 0);
	log.format = data[0] % 2 ? LOG_FORMAT_JSON : LOG_FORMAT_LOGFMT;
	CHECK(log_begin(&log, LOG_INFO, "close"));
	for (size_t i = 0; i < count; i++) {
		log_text(&log, "value", values[i]);
		log_number(&log, "length", (int64_t)strlen(values[i]));
	}
	log_end(&log);
	log_close(&log);
	CHECK(seen.lines == 1);
	check_ascii(seen.line);
	if (data[0] % 2)
		CHECK(json_text_is_valid(seen.line));
	else
		check_logfmt(seen.line, values, count);
	free(text);
	return 0;
}
