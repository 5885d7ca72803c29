/* A line that a client sends to the handlers here. */
#ifndef PROGRAMS_LINE_H
#define PROGRAMS_LINE_H

#include <prong.h>
#include <stdbool.h>
#include <stddef.h>

/* Reads a line, without its newline; false if the client ended before it. */
static inline bool read_line(struct prong_conn *conn, char *line, size_t size)
{
	size_t length = 0;

	do {
		ssize_t n = prong_recv(conn, line + length, size - 1 - length);

		if (n <= 0)
			return false;
		length += (size_t)n;
	} while (line[length - 1] != '\n' && length < size - 1);
	line[length - 1] = '\0';
	return true;
}

#endif
