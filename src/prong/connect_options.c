#include "connect_options.h"

#define FIELD(name) offsetof(struct connect_settings, name)

static const struct option_row rows[] = {
	{ 't', "timeout", "DURATION", "0",
	  "give up an address after so long without an answer, and try the next one that "
	  "the name has: 500ms, 30s, 5m; 0 = when the system gives it up",
	  option_duration, FIELD(timeout_ms), 0, 0, NULL },
	{ 'v', "verbose", NULL, NULL,
	  "say on stderr what happens, and at the end how many bytes went each way and "
	  "how long it took",
	  option_flag, FIELD(verbose), 0, 0, NULL },
	{ .name = NULL },
};

static const char *const usage[] = {
	"prong connect [OPTION]... HOST PORT",
	"prong connect [OPTION]... HOST:PORT | [IPV6]:PORT | unix:/PATH",
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
		"signals: INT, TERM, HUP: break off\n"
		"exit:    0 the server closed in order, all that it sent was printed and\n"
		"         all that it took was sent; 1 it could not be reached or the\n"
		"         conversation was broken off; 2 bad usage\n",
};
