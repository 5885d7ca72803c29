/* The lines of a log, kept for a test to look at. */
#ifndef UNIT_KEPT_H
#define UNIT_KEPT_H

#include <stddef.h>

#define KEPT_MAX 65536

struct kept {
	char text[KEPT_MAX]; /* the lines, one after the other */
	size_t length;
};

/* A log_function; arg is a struct kept. A line that does not fit fails the test. */
void keep(void *arg, const char *line, size_t length);

/* How many lines contain part. */
unsigned kept_count(const struct kept *kept, const char *part);

/* Forgets every line. */
void kept_forget(struct kept *kept);

#endif
