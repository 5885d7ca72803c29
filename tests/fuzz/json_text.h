/* Whether a text is JSON (RFC 8259), strictly, and only ASCII. */
#ifndef FUZZ_JSON_TEXT_H
#define FUZZ_JSON_TEXT_H

#include <stdbool.h>

/* One value, with nothing before or after it. */
bool json_text_is_valid(const char *text);

#endif
