#include "bench_options.h"

#include <errno.h>
#include <string.h>

#define FIELD(name)  offsetof(struct bench_settings, name)
#define COUNT_MAX    (UINT64_C(1) << 40)
#define AT_ONCE_MAX  10000000 /* memory is allocated for each */
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
	  "connect, send, receive the echo, half-close, wait for the server's end, then "
	  "begin the next connection; the default",
	  option_flag, FIELD(churn), 0, 0, NULL },
	{ 0, "keep", NULL, NULL,
	  "make round trips on connections that stay open, one at a time on each",
	  option_flag, FIELD(keep), 0, 0, NULL },
	{ 0, "hold", "N", NULL,
	  "open N connections, make one echo on each, hold them all, echo again, close",
	  take_amount, FIELD(hold), 1, AT_ONCE_MAX, NULL },
	{ 0, "stream", NULL, NULL, "send and receive bulk data at the same time",
	  option_flag, FIELD(stream), 0, 0, NULL },

	{ 'c', "concurrency", "N", NULL,
	  "have at most N connections at once. Default: 16. With --keep or --stream: 1. With "
	  "--rate: 10000, or 16 together with --keep. With --hold: how many connections "
	  "are opened, or echoed on, at the same time; default 256",
	  take_amount, FIELD(concurrency), 1, AT_ONCE_MAX, NULL },
	{ 'r', "rate", "N/s", NULL,
	  "begin N connections per second (in --keep, N round trips), even if the server "
	  "does not keep up; 30/1m is 30 per minute. Times count from when each was due",
	  take_rate, FIELD(rate), 0, 0, NULL },
	{ 's', "size", "SIZE", NULL,
	  "send SIZE bytes in each exchange, by default 64. In --stream the default "
	  "is 64M per connection, or no end if there is a --duration. K, M, G and T "
	  "are powers of 1024",
	  take_size, FIELD(size_bytes), 1, SIZE_MAX_ALL, NULL },
	{ 'n', "count", "N", NULL,
	  "stop after N connections, in --keep after N round trips. By default "
	  "10000, in --stream as many as --concurrency",
	  take_amount, FIELD(count), 1, COUNT_MAX, NULL },
	{ 'd', "duration", "DURATION", NULL,
	  "begin nothing new after DURATION, instead of a count or besides one: "
	  "500ms, 10s, 5m. By default 5s with --rate. In --hold, hold for DURATION, "
	  "by default 5s",
	  option_duration, FIELD(duration_ms), 0, 0, NULL },
	{ 'w', "wait", NULL, NULL,
	  "in --hold: print \"held N\", and hold until standard input has a line or ends",
	  option_flag, FIELD(wait), 0, 0, NULL },

	{ 0, "sources", "ADDR[/COUNT]", NULL,
	  "connect from COUNT IPv4 addresses in turn, from ADDR upwards, so that ports "
	  "do not run out",
	  take_sources, FIELD(origin), 0, 0, NULL },
	{ 'p', "processes", "N", "1",
	  "share the work among N processes, and merge their figures", option_number,
	  FIELD(processes), 1, PROCESSES, NULL },
	{ 't', "timeout", "DURATION", "30s",
	  "count a connection as failed after DURATION without traffic",
	  option_duration, FIELD(timeout_ms), 0, 0, NULL },

	{ 'j', "json", NULL, NULL, "print the result as one line of JSON", option_flag,
	  FIELD(json), 0, 0, NULL },
	{ 0, "histogram", NULL, NULL,
	  "also draw how the whole times, or those of the round trips, are distributed",
	  option_flag, FIELD(histogram), 0, 0, NULL },
	{ .name = NULL },
};

static const struct option_group groups[] = {
	{ "Modes", "churn" },     { "Load", "concurrency" },
	{ "Clients", "sources" }, { "Output and help", "json" },
	{ .title = NULL },
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
	.groups = groups,
	.epilogue =
		"prong connects to this address and to no other, and stops at the limits given.\n"
		"\n"
		"Signals:\n"
		"  INT, TERM, HUP  stop now, and print what was measured\n"
		"\n"
		"Exit status:\n"
		"  0  no connection failed\n"
		"  1  a connection failed, or the run was broken off\n"
		"  2  bad usage\n",
};
