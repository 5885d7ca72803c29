#include "live.h"

#include <sys/ioctl.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "mode.h"
#include "nanoclock.h"
#include "quantity.h"

#define EVERY_NS   UINT64_C(200000000)
#define LINE       160
#define ERASE      "\r\033[K"
#define ERASE_SIZE (sizeof(ERASE) - 1)

int live_open(struct live *live, const struct plan *plan)
{
	*live = (struct live){ .on = isatty(STDERR_FILENO) };
	if (!live->on)
		return 0;
	live->result = calloc(1, sizeof(*live->result));
	if (!live->result)
		return -ENOMEM;
	live->result->plan = plan;
	live->at_ns = nanoclock_now_ns();
	live->next_ns = live->at_ns + EVERY_NS;
	return 0;
}

void live_close(struct live *live)
{
	live_erase(live);
	free(live->result);
}

int live_timeout_ms(const struct live *live)
{
	uint64_t now_ns;

	if (!live->on)
		return -1;
	now_ns = nanoclock_now_ns();
	return now_ns >= live->next_ns ? 0
				       : (int)((live->next_ns - now_ns) / 1000000) + 1;
}

void live_erase(const struct live *live)
{
	if (live->on)
		(void)!write(STDERR_FILENO, ERASE, ERASE_SIZE);
}

static void collect(struct result *result, const struct board *board)
{
	memset(&result->figures, 0, sizeof(result->figures));
	for (unsigned i = 0; i < board->rows_count; i++)
		figures_merge(&result->figures, &board->rows[i].figures);
}

/* A line wider than the terminal would wrap, and only its last row would be erased. */
static size_t columns(void)
{
	struct winsize size = { .ws_col = 0 };

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return 79;
	return size.ws_col - 1U;
}

static void write_line(const char *text, size_t length)
{
	char line[ERASE_SIZE + LINE];
	size_t most = columns();

	if (length > most)
		length = most;
	memcpy(line, ERASE, ERASE_SIZE);
	memcpy(line + ERASE_SIZE, text, length);
	(void)!write(STDERR_FILENO, line, ERASE_SIZE + length);
}

/* A stream may take long to end, so the bytes moved are a better measure. */
static uint64_t progress(const struct result *result, const struct histogram *times)
{
	if (result->plan->mode == &mode_stream)
		return result->figures.bytes_in;
	return times ? times->count : 0;
}

static const char *speed(char text[QUANTITY_MAX], const struct result *result,
			 double rate)
{
	return result->plan->mode == &mode_stream ? quantity_bytes(text, rate)
						  : quantity_rate(text, rate);
}

void live_show(struct live *live, const struct board *board)
{
	char rate[QUANTITY_MAX], median[QUANTITY_MAX], p99[QUANTITY_MAX];
	const struct histogram *times;
	const char *name = "";
	char line[LINE];
	uint64_t now_ns;
	uint64_t done;
	int length;

	if (live_timeout_ms(live) != 0)
		return;
	now_ns = nanoclock_now_ns();
	collect(live->result, board);
	times = result_main_part(live->result, &name);
	done = progress(live->result, times);
	/* Another part is reported now, whose count starts lower. */
	if (done < live->done)
		live->done = 0;
	length = snprintf(
		line, sizeof(line),
		"%" PRIu64 " done, %s/s, %s p50 %s p99 %s, %" PRIu64 " failed",
		times ? times->count : 0,
		speed(rate, live->result,
		      result_per_second(done - live->done, now_ns - live->at_ns)),
		name,
		quantity_time(median, times ? histogram_quantile_ns(times, 0.5) : 0),
		quantity_time(p99, times ? histogram_quantile_ns(times, 0.99) : 0),
		figures_failed(&live->result->figures));
	write_line(line, (size_t)length);
	live->at_ns = now_ns;
	live->next_ns = now_ns + EVERY_NS;
	live->done = done;
}
