#include "bench_options.h"

#include <errno.h>
#include <string.h>

#define FIELD(name)  offsetof(struct bench_settings, name)
#define COUNT_MAX    (UINT64_C(1) << 40)
#define AT_ONCE_MAX  10000000 /* memory is got for each */
#define SIZE_MAX_ALL (UINT64_C(1) << 50)
#define PROCESSES    256

static int take_amount(const struct option_row *row, const char *value, void *field,
		       struct why *why)
{
	if (number_parse(value, row->min, row->max, field) == 0)
		return 0;
	return why_fail(why, -EINVAL, "\"%.60s\" is not a number from %llu to %llu",
			value, (unsigned long long)row->min,
			(unsigned long long)row->max);
}

static int take_size(const struct option_row *row, const char *value, void *field,
		     struct why *why)
{
	switch (number_parse_size(value, row->min, row->max, field)) {
	case 0:
		return 0;
	case -ERANGE:
		return why_fail(why, -EINVAL, "\"%.60s\" is out of range: 1 to 1024T",
				value);
	default:
		return why_fail(why, -EINVAL,
				"\"%.60s\" is not a size: write 64, 4K, 16M or 1G",
				value);
	}
}

static int take_rate(const struct option_row *row, const char *value, void *field,
		     struct why *why)
{
	(void)row;
	if (strchr(value, ':') == NULL && number_parse_rate(value, field) == 0)
		return 0;
	return why_fail(
		why, -EINVAL,
		"\"%.60s\" is not a rate: write 500/s or 30/1m, 1000000 at most",
		value);
}

static int take_sources(const struct option_row *row, const char *value, void *field,
			struct why *why)
{
	(void)row;
	if (origin_parse(field, value) == 0)
		return 0;
	return why_fail(why, -EINVAL,
			"\"%.60s\" is not ADDR or ADDR/COUNT: write 127.0.0.2/100",
			value);
}

static const struct option_row rows[] = {
	{ 0, "churn", NULL, NULL,
	  "connect, send, receive the echo, half-close, wait for the end; then the next; "
	  "the usual mode",
	  option_flag, FIELD(churn), 0, 0, NULL },
	{ 0, "keep", NULL, NULL,
	  "round trips on connections that stay open, one under way on each",
	  option_flag, FIELD(keep), 0, 0, NULL },
	{ 0, "hold", "N", NULL,
	  "open N connections, with one echo each, hold them, echo again, close",
	  take_amount, FIELD(hold), 1, AT_ONCE_MAX, NULL },
	{ 0, "stream", NULL, NULL, "bulk in both directions at once", option_flag,
	  FIELD(stream), 0, 0, NULL },
	{ 'c', "concurrency", "N", NULL,
	  "connections at once: 16, in --keep and --stream 1, in --hold 256 that are being "
	  "opened or echoing; with --rate at most so many: 10000, in --keep 16",
	  take_amount, FIELD(concurrency), 1, AT_ONCE_MAX, NULL },
	{ 'r', "rate", "N/s", NULL,
	  "begin so many connections, or in --keep round trips, a second (or 30/1m), "
	  "whether the server keeps up or not; times count from when each was due",
	  take_rate, FIELD(rate), 0, 0, NULL },
	{ 's', "size", "SIZE", NULL,
	  "bytes of an exchange: 64; in --stream of a connection: 64M, or, with "
	  "--duration, without end; K, M, G and T are powers of 1024",
	  take_size, FIELD(size_bytes), 1, SIZE_MAX_ALL, NULL },
	{ 'n', "count", "N", NULL,
	  "stop after so many connections, or in --keep round trips: 10000; in --stream "
	  "as many as --concurrency",
	  take_amount, FIELD(count), 1, COUNT_MAX, NULL },
	{ 'd', "duration", "DURATION", NULL,
	  "begin nothing more after so long, instead of a count or besides one: 500ms, "
	  "10s, 5m; with --rate 5s; in --hold: hold for so long, 5s",
	  option_duration, FIELD(duration_ms), 0, 0, NULL },
	{ 'w', "wait", NULL, NULL,
	  "in --hold: print \"held N\", and hold until a line or the end of standard "
	  "input",
	  option_flag, FIELD(wait), 0, 0, NULL },
	{ 0, "sources", "ADDR[/COUNT]", NULL,
	  "come from COUNT addresses in turn, this one and the next ones, so that there "
	  "are ports enough; IPv4",
	  take_sources, FIELD(origin), 0, 0, NULL },
	{ 'p', "processes", "N", "1",
	  "share the work among N processes, and merge their figures", option_number,
	  FIELD(processes), 1, PROCESSES, NULL },
	{ 't', "timeout", "DURATION", "30s",
	  "a connection on which nothing has moved for so long has failed",
	  option_duration, FIELD(timeout_ms), 0, 0, NULL },
	{ 'j', "json", NULL, NULL, "print the result as one line of JSON", option_flag,
	  FIELD(json), 0, 0, NULL },
	{ 0, "histogram", NULL, NULL,
	  "show too how the whole times, or those of the round trips, are distributed",
	  option_flag, FIELD(histogram), 0, 0, NULL },
	{ .name = NULL },
};

static const char *const usage[] = {
	"prong bench [OPTION]... HOST:PORT | [IPV6]:PORT | unix:/PATH",
	NULL,
};

const struct option_page bench_page = {
	.program = "prong bench",
	.version = "prong " PROGRAM_VERSION,
	.usage = usage,
	.summary = "Put load on an echo server, verify every byte, time every part.",
	.rows = rows,
	.epilogue =
		"Connections go to this address and no other, and stop at the bounds "
		"given.\n"
		"\n"
		"signals: INT, TERM, HUP: stop now, and print what was measured\n"
		"exit:    0 no connection failed, 1 some did or the run was broken off, "
		"2 bad\n"
		"         usage\n",
};
