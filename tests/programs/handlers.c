/*
 * A server whose handlers do what no built-in service does: they ignore their input,
 * never return, fail, die. Takes the options of prongd that tests need, under the
 * same names, so that a test starts it as it starts prongd.
 */
#include <errno.h>
#include <getopt.h>
#include <prong.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BIG_REPLY  (400 * 1024)
#define LISTEN_MAX 8

/* Reads nothing, so that what the client sent is unread when it returns. */
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

/* Moves bytes on the descriptor itself, behind the library's back. */
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

/* As above, and deaf to a polite request. */
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

/* Two lines a connection: who is told to be the client, and the number. */
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
	{ "killed", killed },
	{ "tells", tells },
};

static prong_handler *find_handler(const char *name)
{
	for (size_t i = 0; name != NULL && i < sizeof(table) / sizeof(table[0]); i++)
		if (strcmp(table[i].name, name) == 0)
			return table[i].handler;
	fprintf(stderr, "handlers: no such handler: %s\n", name ? name : "(none)");
	exit(2);
}

/* Times in milliseconds. listen holds the addresses that were given, then NULL. */
static void parse(struct prong_options *options, const char **listen, int argc,
		  char **argv)
{
	static const struct option longs[] = {
		{ "ready-fd", required_argument, NULL, 'f' },
		{ "session-timeout", required_argument, NULL, 't' },
		{ "idle-timeout", required_argument, NULL, 'i' },
		{ "grace", required_argument, NULL, 'g' },
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
		else
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
	err = prong_open(&server, &options, find_handler(argv[optind]), arg);
	if (err == 0) {
		err = prong_run(server);
		prong_close(server);
	}
	if (err < 0)
		fprintf(stderr, "handlers: %s: %s\n", strerror(-err), error);
	return err < 0;
}
