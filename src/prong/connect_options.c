#include "connect_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

#define FIELD(name) offsetof(struct connect_settings, name)

/* Only getaddrinfo(3) reads an address with a scope, such as fe80::1%eth0. */
static int parse_scoped(const char *value, struct address *out)
{
	struct addrinfo hints = { .ai_family = AF_INET6,
				  .ai_socktype = SOCK_STREAM,
				  .ai_flags = AI_NUMERICHOST };
	struct addrinfo *found;

	if (strchr(value, ':') == NULL || getaddrinfo(value, NULL, &hints, &found) != 0)
		return -EINVAL;
	memcpy(&out->any, found->ai_addr, found->ai_addrlen);
	out->length = found->ai_addrlen;
	freeaddrinfo(found);
	return 0;
}

/* struct address: an IP address, with port 0. */
static int option_source(const struct option_row *row, const char *value, void *field,
			 struct why *why)
{
	struct address address = { .length = 0 };

	(void)row;
	if (inet_pton(AF_INET, value, &address.any.in.sin_addr) == 1) {
		address.any.in.sin_family = AF_INET;
		address.length = sizeof(address.any.in);
	} else if (parse_scoped(value, &address) < 0) {
		return why_fail(why, -EINVAL,
				"\"%.60s\" is not an IP address: write 192.0.2.1 or "
				"2001:db8::1, without a port",
				value);
	}
	*(struct address *)field = address;
	return 0;
}

static const struct option_row rows[] = {
	{ '4', "ipv4", NULL, NULL, "connect to IPv4 addresses only", option_flag,
	  FIELD(ipv4), 0, 0, NULL },
	{ '6', "ipv6", NULL, NULL, "connect to IPv6 addresses only", option_flag,
	  FIELD(ipv6), 0, 0, NULL },
	{ 0, "source", "ADDRESS", NULL,
	  "connect from ADDRESS, an IP address of this machine, and only to addresses of "
	  "its family",
	  option_source, FIELD(source), 0, 0, NULL },

	{ 't', "timeout", "DURATION", "0",
	  "give up if the whole takes longer than DURATION, from the name lookup to the "
	  "last byte: 500ms, 30s, 5m; 0 = no limit",
	  option_duration, FIELD(timeout_ms), 0, 0, NULL },
	{ 0, "connect-timeout", "DURATION", "0",
	  "give up if no address of the server has answered after DURATION; 0 = the "
	  "system's limit",
	  option_duration, FIELD(connect_timeout_ms), 0, 0, NULL },
	{ 0, "idle-timeout", "DURATION", "0",
	  "give up after DURATION without traffic; 0 = no limit. Time in which "
	  "standard output takes no data does not count",
	  option_duration, FIELD(idle_timeout_ms), 0, 0, NULL },

	{ 0, "no-half-close", NULL, NULL,
	  "do not close our half of the connection at the end of the input, for "
	  "servers that then drop the client, such as redis. Print what the server "
	  "sends until it closes",
	  option_flag, FIELD(writer.no_half_close), 0, 0, NULL },
	{ 0, "crlf", NULL, NULL,
	  "send each line end of the input as CR LF. A line end that already is CR "
	  "LF stays as it is",
	  option_flag, FIELD(writer.crlf), 0, 0, NULL },
	{ 0, "no-quit", NULL, NULL,
	  "on a terminal, send a line of q or Q alone as data. Ctrl-D ends the "
	  "input",
	  option_flag, FIELD(writer.no_quit), 0, 0, NULL },

	{ 'v', "verbose", NULL, NULL,
	  "report progress on standard error, and at the end the bytes sent, the bytes "
	  "received and the time",
	  option_flag, FIELD(verbose), 0, 0, NULL },
	{ .name = NULL },
};

static const struct option_group groups[] = {
	{ "Addresses", "ipv4" },
	{ "Timeouts", "timeout" },
	{ "Input", "no-half-close" },
	{ "Messages and help", "verbose" },
	{ .title = NULL },
};

static const char *const usage[] = {
	"prong connect [OPTION]... HOST PORT",
	"prong connect [OPTION]... HOST:PORT | [IPV6]:PORT | unix:/PATH",
	"prong connect [OPTION]... ADDRESS -- PROGRAM [ARGUMENT]...",
	NULL,
};

const struct option_page connect_page = {
	.program = "prong connect",
	.version = "prong " PROGRAM_VERSION,
	.usage = usage,
	.summary = "Send standard input to a server and print what it answers.",
	.rows = rows,
	.groups = groups,
	.epilogue =
		"The end of the input closes our half of the connection. prong prints what the\n"
		"server still sends, until the server closes its half. On a terminal, a line\n"
		"of q or Q alone ends the input, too.\n"
		"\n"
		"PROGRAM reads the connection from descriptor 6 and writes it to descriptor 7\n"
		"(UCSPI). It finds the addresses in its environment.\n"
		"\n"
		"Signals:\n"
		"  INT, TERM, HUP  break off\n"
		"\n"
		"Exit status:\n"
		"  0    the server closed in order; its reply was printed, the input was sent\n"
		"  1    no connection, or the conversation was broken off\n"
		"  2    bad usage\n"
		"  111  with PROGRAM: no connection, or PROGRAM could not be run\n",
};
