/* Line ends as Internet protocols require them: CR LF (RFC 854, RFC 5321). */
#ifndef PRONG_LINE_END_H
#define PRONG_LINE_END_H

#include <stdbool.h>
#include <stddef.h>

/* All zero before the first byte. */
struct line_end {
	bool after_cr; /* the last byte was a CR */
};

/*
 * Copies the next n bytes of the input to out, and puts a CR before each LF that has
 * none before it (it may have been the last byte of an earlier call). out has room for
 * 2 * n bytes. Returns how many bytes out holds.
 */
size_t line_end_convert(struct line_end *line_end, char *out, const char *data,
			size_t n);

#endif
