/* Finds the line with q or Q alone with which a person at a terminal ends the input. */
#ifndef PRONG_QUIT_LINE_H
#define PRONG_QUIT_LINE_H

#include <stddef.h>

/* All zero before the first byte. */
struct quit_line {
	enum {
		LINE_START, /* at the start of a line */
		LINE_Q,     /* after a q or Q at the start: data, or the end? */
		LINE_OTHER, /* in a line that is data */
	} state;
};

/*
 * Searches the next n bytes of the input, which need not be whole lines. Returns the
 * index of the newline that ends the first such line (its letter is the byte before,
 * perhaps of an earlier call), or n if there is none.
 */
size_t quit_line_find(struct quit_line *line, const char *data, size_t n);

#endif
