#include "chart.h"

#include <inttypes.h>
#include <stdio.h>

#include "quantity.h"

#define EDGES   97 /* from 1 us to 4000 s, more than a histogram holds */
#define TEXT    40 /* columns before the bars */
#define LEAST   10 /* columns of the longest bar, even on a narrow terminal */
#define PER_TEN 10

/* Ten edges per decade, each a quarter more than the one before (ISO 3, series R10). */
static uint64_t edge_at_ns(size_t index)
{
	static const unsigned series[PER_TEN] = { 100, 125, 160, 200, 250,
						  315, 400, 500, 630, 800 };
	uint64_t edge_ns = 10 * series[index % PER_TEN];

	for (size_t decade = index / PER_TEN; decade > 0; decade--)
		edge_ns *= 10;
	return edge_ns;
}

struct span {
	size_t first, last; /* edges below and above everything that was counted */
};

static struct span find_span(const struct histogram *histogram)
{
	struct span span = { .first = 0, .last = 1 };

	while (histogram_count_up_to(histogram, edge_at_ns(span.first + 1)) == 0)
		span.first++;
	span.last = span.first + 1;
	while (span.last < EDGES - 1 &&
	       histogram_count_up_to(histogram, edge_at_ns(span.last)) <
		       histogram->count)
		span.last++;
	return span;
}

/*
 * How many edges each row spans: enough to keep the rows few, and a divisor of a
 * decade.
 */
static size_t choose_step(const struct span *span)
{
	static const size_t steps[] = { 1, 2, 5, 10 };
	size_t i = 0;

	while (i + 1 < sizeof(steps) / sizeof(steps[0]) &&
	       (span->last - span->first) / steps[i] + 2 > CHART_ROWS_MAX)
		i++;
	return steps[i];
}

size_t chart_rows(struct chart_row rows[CHART_ROWS_MAX],
		  const struct histogram *histogram)
{
	struct span span;
	uint64_t seen = 0;
	size_t count = 0;
	size_t step;

	if (histogram->count == 0)
		return 0;
	span = find_span(histogram);
	step = choose_step(&span);
	for (size_t i = span.first / step * step; i < span.last; i += step) {
		struct chart_row *row = &rows[count++];
		uint64_t up_to;

		row->from_ns = edge_at_ns(i);
		row->to_ns = edge_at_ns(i + step);
		up_to = histogram_count_up_to(histogram, row->to_ns);
		row->count = up_to - seen;
		seen = up_to;
	}
	return count;
}

static void draw_row(const struct chart_row *row, uint64_t all, uint64_t most, int room)
{
	char from[QUANTITY_MAX], to[QUANTITY_MAX];
	int bar = (int)((double)row->count / (double)most * room + 0.5);

	printf("%8s - %-8s %11" PRIu64 " %5.1f%% ", quantity_time(from, row->from_ns),
	       quantity_time(to, row->to_ns), row->count,
	       100 * (double)row->count / (double)all);
	/* A count too small to be drawn still gets a bar, since it is not zero. */
	if (bar == 0 && row->count > 0)
		putchar('.');
	while (bar-- > 0)
		putchar('#');
	putchar('\n');
}

void chart_draw(const char *name, const struct histogram *histogram, int width)
{
	struct chart_row rows[CHART_ROWS_MAX];
	size_t count = chart_rows(rows, histogram);
	int room = width - TEXT > LEAST ? width - TEXT : LEAST;
	uint64_t most = 1;

	for (size_t i = 0; i < count; i++)
		if (rows[i].count > most)
			most = rows[i].count;
	printf("\n%-19s %11s %6s\n", name, "count", "share");
	for (size_t i = 0; i < count; i++)
		draw_row(&rows[i], histogram->count, most, room);
}
