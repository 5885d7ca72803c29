#include "quit_line.h"

size_t quit_line_find(struct quit_line *line, const char *data, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n') {
			if (line->state == LINE_Q)
				return i;
			line->state = LINE_START;
		} else if (line->state == LINE_START &&
			   (data[i] == 'q' || data[i] == 'Q')) {
			line->state = LINE_Q;
		} else {
			line->state = LINE_OTHER;
		}
	}
	return n;
}
