#include "line_end.h"

size_t line_end_convert(struct line_end *line_end, char *out, const char *data,
			size_t n)
{
	size_t length = 0;

	for (size_t i = 0; i < n; i++) {
		if (data[i] == '\n' && !line_end->after_cr)
			out[length++] = '\r';
		out[length++] = data[i];
		line_end->after_cr = data[i] == '\r';
	}
	return length;
}
