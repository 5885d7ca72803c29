/* The distribution of times, in rows of equal width on a logarithmic time axis. */
#ifndef PRONG_BENCH_CHART_H
#define PRONG_BENCH_CHART_H

#include <stddef.h>

#include "histogram.h"

#define CHART_ROWS_MAX 24

struct chart_row {
	uint64_t from_ns, to_ns; /* more than from_ns, at most to_ns */
	uint64_t count;
};

/*
 * Fills rows from the histogram. No time is left out, so the counts add up. Returns the
 * number of rows; 0 if the histogram is empty.
 */
size_t chart_rows(struct chart_row rows[CHART_ROWS_MAX],
		  const struct histogram *histogram);

/* Draws them on stdout, width columns wide; name says what the times are. */
void chart_draw(const char *name, const struct histogram *histogram, int width);

#endif
