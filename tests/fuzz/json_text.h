/* Whether a text is JSON (RFC 8259), strictly, and of ASCII alone. */
#ifndef FUZZ_JSON_TEXT_H
#define FUZZ_JSON_TEXT_H

#include <stdbool.h>

/* One value, with nothing before or behind it. */
bool json_text_is_valid(const char *text);

#endif
