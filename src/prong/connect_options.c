#include "connect_options.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <string.h>

#define FIELD(name) offsetof(struct connect_settings, name)

/* An address with a scope, fe80::1%eth0, is known to getaddrinfo(3) alone. */
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
	  "connect from this IP address of this machine, and so only to addresses of its "
	  "family",
	  option_source, FIELD(source), 0, 0, NULL },
	{ 't', "timeout", "DURATION", "0",
	  "give up after DURATION for the whole, from looking up the name to the last "
	  "byte: 500ms, 30s, 5m; 0 = no limit",
	  option_duration, FIELD(timeout_ms), 0, 0, NULL },
	{ 0, "connect-timeout", "DURATION", "0",
	  "give up after DURATION without a connection, all addresses together; 0 = when "
	  "the system gives up",
	  option_duration, FIELD(connect_timeout_ms), 0, 0, NULL },
	{ 0, "idle-timeout", "DURATION", "0",
	  "give up when for DURATION no byte has come or gone; time in which standard "
	  "output takes nothing does not count; 0 = no limit",
	  option_duration, FIELD(idle_timeout_ms), 0, 0, NULL },
	{ 0, "no-half-close", NULL, NULL,
	  "at the end of the input do not close our half of the connection, for servers "
	  "that drop a client that does, such as redis; print what the server sends until "
	  "it closes",
	  option_flag, FIELD(writer.no_half_close), 0, 0, NULL },
	{ 0, "crlf", NULL, NULL,
	  "send each line end of the input as CR LF; one that is CR LF already stays so",
	  option_flag, FIELD(writer.crlf), 0, 0, NULL },
	{ 0, "no-quit", NULL, NULL,
	  "on a terminal, too, a line with q or Q alone is data; Ctrl-D ends the input",
	  option_flag, FIELD(writer.no_quit), 0, 0, NULL },
	{ 'v', "verbose", NULL, NULL,
	  "say on stderr what happens, and at the end how many bytes went each way and "
	  "how long it took",
	  option_flag, FIELD(verbose), 0, 0, NULL },
	{ .name = NULL },
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
	.epilogue =
		"The end of the input closes our half of the connection; what the server\n"
		"still sends is printed until it closes its own. On a terminal, a line with\n"
		"q or Q alone is the end of the input too.\n"
		"\n"
		"PROGRAM reads the connection from descriptor 6 and writes it to descriptor\n"
		"7 (UCSPI), and has the addresses in its environment; exit 111: it could not\n"
		"be reached, or PROGRAM could not be run.\n"
		"\n"
		"signals: INT, TERM, HUP: break off\n"
		"exit:    0 the server closed in order, all that it sent was printed and\n"
		"         all that it took was sent; 1 it could not be reached or the\n"
		"         conversation was broken off; 2 bad usage\n",
};
