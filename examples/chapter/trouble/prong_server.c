/*
 * The same echo service on libprong, to be compared with the others: one process for each
 * client, or, with "pool", processes that serve one client after another.
 *
 *	./prong_server 7007 [pool]
 */
#include <prong.h>
#include <stdio.h>
#include "trouble.h"

static int echo(struct prong_conn *conn, void *arg)
{
	char buf[16 * 1024];
	ssize_t n;

	(void)arg;
	while ((n = prong_recv(conn, buf, sizeof(buf))) > 0)
		if ((n = prong_send(conn, buf, (size_t)n)) < 0)
			break;
	return (int)n;
}

int main(int argc, char *argv[])
{
	char address[128] = "", error[PRONG_ERROR_MAX] = "";
	const char *listen[] = { address, NULL };
	struct prong_options options = { .size = sizeof(options), .listen = listen };
	struct prong *server;

	snprintf(address, sizeof(address), "127.0.0.1:%s", argc > 1 ? argv[1] : "7007");
	options.error = error;
	options.error_size = sizeof(error);
	/* The sandbox and the spares are as prongd has them by default. */
	options.sandbox = PRONG_SANDBOX_AUTO;
	options.spare = 8;
	options.max_processes = 2000;
	if (argc > 2) {
		options.spare = 16;
		options.reuse = PRONG_REUSE_ALWAYS;
	}
	if (prong_open(&server, &options, echo, NULL) < 0) {
		fprintf(stderr, "prong_server: %s\n", error);
		return 1;
	}
	prong_listener(server, 0, address, sizeof(address));
	printf("listening on %s\n", address);
	fflush(stdout);
	if (prong_run(server) < 0)
		fprintf(stderr, "prong_server: %s\n", error);
	prong_close(server);
	return 0;
}
