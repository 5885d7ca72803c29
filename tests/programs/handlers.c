/*
 * A server whose handlers do what no built-in service does: they ignore their input,
 * never return, fail or die. It takes the options of prongd that tests need, under the
 * same names, so that a test starts it like prongd.
 */
#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <getopt.h>
#include <prong.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "escapes.h"

#define BIG_REPLY    (400 * 1024)
#define LISTEN_MAX   8
#define PATTERN      4096
#define MAPPINGS_MAX 200

/* Reads nothing, so what the client sent is unread when it returns. */
static int big_reply(struct prong_conn *conn, void *arg)
{
	static char reply[BIG_REPLY];

	(void)arg;
	for (size_t i = 0; i < sizeof(reply); i++)
		reply[i] = (char)('a' + i % 26);
	return prong_send(conn, reply, sizeof(reply));
}

/* Answers two seconds after the client has ended its sending. */
static int late_reply(struct prong_conn *conn, void *arg)
{
	char buffer[4096];
	ssize_t n;

	(void)arg;
	do {
		n = prong_recv(conn, buffer, sizeof(buffer));
	} while (n > 0);
	if (n < 0)
		return (int)n;
	sleep(2);
	return prong_send(conn, "late\n", 5);
}

/* Moves bytes on the descriptor itself, without the library's calls. */
static int borrower(struct prong_conn *conn, void *arg)
{
	char buffer[4096];
	ssize_t n;

	(void)arg;
	while ((n = read(prong_conn_fd(conn), buffer, sizeof(buffer))) > 0)
		if (write(prong_conn_fd(conn), buffer, (size_t)n) != n)
			return -EPIPE;
	return 0;
}

static int never_returns(struct prong_conn *conn, void *arg)
{
	(void)conn, (void)arg;
	while (pause() < 0)
		;
	return 0;
}

/* Like the one above, and ignores SIGTERM. */
static int never_listens(struct prong_conn *conn, void *arg)
{
	signal(SIGTERM, SIG_IGN);
	return never_returns(conn, arg);
}

static int fails(struct prong_conn *conn, void *arg)
{
	(void)conn, (void)arg;
	return 7;
}

static int exits(struct prong_conn *conn, void *arg)
{
	(void)conn, (void)arg;
	_exit(77);
}

static int killed(struct prong_conn *conn, void *arg)
{
	(void)conn, (void)arg;
	raise(SIGKILL);
	return 0;
}

/* Exits like a worker whose privileges could not be changed (record/reason.c). */
static int exits_as_refused(struct prong_conn *conn, void *arg)
{
	(void)conn, (void)arg;
	_exit(106);
}

/* Ends as the client's first byte says; any other byte is echoed. */
static int obeys(struct prong_conn *conn, void *arg)
{
	char order;
	ssize_t n = prong_recv(conn, &order, 1);

	if (n <= 0)
		return (int)n;
	switch (order) {
	case 'e':
		return exits(conn, arg);
	case 'f':
		return fails(conn, arg);
	case 'k':
		return killed(conn, arg);
	case 'r':
		return (int)prong_recv(conn, &order, 1);
	case 'n':
		return never_returns(conn, arg);
	default:
		return prong_send(conn, &order, 1);
	}
}

/* Sends two lines: the client's address as the handler sees it, and the number. */
static int tells(struct prong_conn *conn, void *arg)
{
	socklen_t length = 0;
	char text[80];
	int n;

	n = snprintf(text, sizeof(text), "%llu %d %s\n",
		     (unsigned long long)prong_conn_id(conn),
		     (int)prong_conn_peer(conn, &length)->sa_family, (const char *)arg);
	return prong_send(conn, text, (size_t)n);
}

static ssize_t receive_all(struct prong_conn *conn, char *buffer, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t n = prong_recv(conn, buffer + used, size - used);

		if (n <= 0)
			return n < 0 ? n : -EPROTO;
		used += (size_t)n;
	}
	return 0;
}

static int echo(struct prong_conn *conn)
{
	char buffer[4096];
	int err = 0;
	ssize_t n;

	while ((n = prong_recv(conn, buffer, sizeof(buffer))) > 0 && err == 0)
		err = prong_send(conn, buffer, (size_t)n);
	return n < 0 ? (int)n : err;
}

struct mapping {
	unsigned long start, end;
	char privileges[5]; /* "rw-s" is shared with other processes, "rw-p" its own */
};

static size_t find_mappings(struct mapping *mappings)
{
	FILE *maps = fopen("/proc/self/maps", "re"); /* proc(5) */
	size_t count = 0;

	while (maps != NULL && count < MAPPINGS_MAX &&
	       fscanf(maps, "%lx-%lx %4s%*[^\n]", &mappings[count].start,
		      &mappings[count].end, mappings[count].privileges) == 3)
		count++;
	if (maps != NULL)
		fclose(maps);
	return count;
}

/*
 * Without the sanitizer: the test is about the supervisor, which must not be affected.
 */
__attribute__((no_sanitize("address", "undefined"))) static void overwrite(
	const struct mapping *mappings, size_t count, const char *privileges,
	const char *pattern)
{
	for (size_t i = 0; i < count; i++) {
		volatile char *memory = (volatile char *)mappings[i].start;
		size_t size = mappings[i].end - mappings[i].start;

		if (strcmp(mappings[i].privileges, privileges) != 0)
			continue;
		for (size_t at = 0; at < size; at++)
			memory[at] = pattern[at % PATTERN];
	}
}

/* Overwrites everything that it can write, until that kills it. */
static _Noreturn void overwrite_everything(const struct mapping *mappings, size_t count,
					   const char *pattern)
{
	struct rlimit none = { 0, 0 };

	setrlimit(RLIMIT_CORE, &none);
	alarm(10); /* or what is left of the code might run for ever */
	overwrite(mappings, count, "rw-s", pattern);
	overwrite(mappings, count, "rw-p", pattern);
	__builtin_trap();
}

/*
 * Does what the first byte says. 'e' echoes. 's' receives a pattern, writes it over all
 * memory shared with other processes, sends "done", and goes on writing it until the
 * client ends its sending. 'a' receives a pattern and writes it over everything.
 */
static int scribble(struct prong_conn *conn, void *arg)
{
	static struct mapping mappings[MAPPINGS_MAX];
	static char message[1 + PATTERN];
	const char *pattern = message + 1;
	size_t count = find_mappings(mappings);
	ssize_t n;

	(void)arg;
	if (prong_recv(conn, message, 1) != 1)
		return -EPROTO;
	if (message[0] == 'e')
		return echo(conn);
	n = receive_all(conn, message + 1, PATTERN);
	if (n < 0)
		return (int)n;
	if (message[0] == 'a')
		overwrite_everything(mappings, count, pattern);
	overwrite(mappings, count, "rw-s", pattern);
	if (prong_send(conn, "done", 4) < 0)
		return -EPIPE;
	do {
		overwrite(mappings, count, "rw-s", pattern);
		n = recv(prong_conn_fd(conn), message, 1, MSG_DONTWAIT | MSG_PEEK);
	} while (n < 0 && errno == EAGAIN);
	return 0;
}

static const struct {
	const char *name;
	prong_handler *handler;
} table[] = {
	{ "big-reply", big_reply },
	{ "late-reply", late_reply },
	{ "borrower", borrower },
	{ "never-returns", never_returns },
	{ "never-listens", never_listens },
	{ "fails", fails },
	{ "exits", exits },
	{ "exits-as-refused", exits_as_refused },
	{ "killed", killed },
	{ "obeys", obeys },
	{ "tells", tells },
	{ "scribble", scribble },
	{ "escapes", escapes },
	{ "works", works },
};

static prong_handler *find_handler(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].handler;
	fprintf(stderr, "handlers: no such handler: %s\n", name ? name : "(none)");
	exit(2);
}

/* COUNT/MILLISECONDS:BURST */
static struct prong_rate parse_rate(const char *text)
{
	struct prong_rate rate;
	long period;

	if (sscanf(text, "%u/%ld:%u", &rate.count, &period, &rate.burst) != 3)
		exit(2);
	rate.period = period;
	return rate;
}

/* Options for limits and lists; one prefix to deny. Returns false for others. */
static bool parse_limit(struct prong_options *options, int code)
{
	static const char *deny[] = { NULL, NULL };

	switch (code) {
	case 'd':
		deny[0] = optarg;
		options->deny = deny;
		return true;
	case 'p':
		options->max_per_source = (unsigned)strtol(optarg, NULL, 10);
		return true;
	case 'q':
		options->rate_per_source = parse_rate(optarg);
		return true;
	case 'm':
		options->rate = parse_rate(optarg);
		return true;
	case 'a':
		options->at_limit =
			strcmp(optarg, "wait") == 0 ? PRONG_WAIT : PRONG_REFUSE;
		return true;
	default:
		return false;
	}
}

static enum prong_sandbox parse_sandbox(const char *word)
{
	if (strcmp(word, "strict") == 0)
		return PRONG_SANDBOX_STRICT;
	return strcmp(word, "auto") == 0 ? PRONG_SANDBOX_AUTO : PRONG_SANDBOX_OFF;
}

/*
 * Times are in milliseconds. listen receives the addresses that were given, then NULL.
 */
static void parse(struct prong_options *options, const char **listen, int argc,
		  char **argv)
{
	static const struct option longs[] = {
		{ "ready-fd", required_argument, NULL, 'f' },
		{ "session-timeout", required_argument, NULL, 't' },
		{ "idle-timeout", required_argument, NULL, 'i' },
		{ "grace", required_argument, NULL, 'g' },
		{ "deny", required_argument, NULL, 'd' },
		{ "max-per-source", required_argument, NULL, 'p' },
		{ "rate-per-source", required_argument, NULL, 'q' },
		{ "rate", required_argument, NULL, 'm' },
		{ "at-limit", required_argument, NULL, 'a' },
		{ "sandbox", required_argument, NULL, 'b' },
		{ "accept", required_argument, NULL, 'c' },
		{ 0 },
	};
	int count = 0;
	int code;

	while ((code = getopt_long(argc, argv, "+l:n:s:r:v", longs, NULL)) != -1) {
		long number = optarg != NULL ? strtol(optarg, NULL, 10) : 0;

		if (code == 'l' && count < LISTEN_MAX)
			listen[count++] = optarg;
		else if (code == 'n')
			options->max_processes = (unsigned)number;
		else if (code == 's')
			options->spare = (unsigned)number;
		else if (code == 'r')
			options->reuse = (unsigned)number;
		else if (code == 'v')
			options->log_level = PRONG_LOG_VERBOSE;
		else if (code == 'f')
			options->ready_fd = (int)number;
		else if (code == 't')
			options->session_timeout = number;
		else if (code == 'i')
			options->idle_timeout = number;
		else if (code == 'g')
			options->grace = number;
		else if (code == 'b')
			options->sandbox = parse_sandbox(optarg);
		else if (code == 'c')
			options->accept = strcmp(optarg, "workers") == 0
						  ? PRONG_ACCEPT_WORKERS
						  : PRONG_ACCEPT_SUPERVISOR;
		else if (!parse_limit(options, code))
			exit(2);
	}
}

int main(int argc, char **argv)
{
	static char arg[] = "arg";
	const char *listen[LISTEN_MAX + 1] = { NULL };
	char error[PRONG_ERROR_MAX] = "";
	struct prong_options options = {
		.size = sizeof(options),
		.listen = listen,
		.log_fd = 2,
		.error = error,
		.error_size = sizeof(error),
	};
	struct prong *server;
	int err;

	parse(&options, listen, argc, argv);
	escapes_prepare();
	err = prong_open(&server, &options, find_handler(argv[optind]), arg);
	if (err == 0) {
		err = prong_run(server);
		prong_close(server);
	}
	if (err < 0)
		fprintf(stderr, "handlers: %s: %s\n", strerror(-err), error);
	return err < 0;
}
