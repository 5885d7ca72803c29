#include "json_text.h"

#include <ctype.h>
#include <string.h>

/* Each takes what its name says from the text; NULL: it is not there. */
static const char *take_value(const char *text);

static const char *take(const char *text, const char *word)
{
	size_t length = strlen(word);

	return text != NULL && strncmp(text, word, length) == 0 ? text + length : NULL;
}

static const char *take_digits(const char *text)
{
	if (!isdigit((unsigned char)*text))
		return NULL;
	while (isdigit((unsigned char)*text))
		text++;
	return text;
}

static const char *take_number(const char *text)
{
	text += *text == '-';
	if (text[0] == '0' && isdigit((unsigned char)text[1]))
		return NULL;
	text = take_digits(text);
	if (text != NULL && *text == '.')
		text = take_digits(text + 1);
	return text;
}

static const char *take_escape(const char *text)
{
	if (*text != '\0' && strchr("\"\\/bfnrt", *text) != NULL)
		return text + 1;
	if (*text++ != 'u')
		return NULL;
	for (int i = 0; i < 4; i++)
		if (!isxdigit((unsigned char)*text++))
			return NULL;
	return text;
}

static const char *take_string(const char *text)
{
	text = take(text, "\"");
	while (text != NULL && *text != '"') {
		if (*text < 0x20 || *text > 0x7e)
			return NULL;
		text = *text == '\\' ? take_escape(text + 1) : text + 1;
	}
	return text != NULL ? text + 1 : NULL;
}

static const char *take_member(const char *text)
{
	text = take(take_string(text), ":");
	return text != NULL ? take_value(text) : NULL;
}

/* Takes what is between brackets; part takes each item. */
static const char *take_list(const char *text, const char *end,
			     const char *(*part)(const char *))
{
	if (take(text, end) != NULL)
		return take(text, end);
	do {
		text = part(text);
		if (take(text, end) != NULL)
			return take(text, end);
		text = take(text, ",");
	} while (text != NULL);
	return NULL;
}

static const char *take_value(const char *text)
{
	static const char *const words[] = { "null", "true", "false" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (take(text, words[i]) != NULL)
			return take(text, words[i]);
	switch (*text) {
	case '{':
		return take_list(text + 1, "}", take_member);
	case '[':
		return take_list(text + 1, "]", take_value);
	case '"':
		return take_string(text);
	default:
		return take_number(text);
	}
}

bool json_text_is_valid(const char *text)
{
	const char *end = take_value(text);

	return end != NULL && *end == '\0';
}
