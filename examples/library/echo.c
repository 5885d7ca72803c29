/* An echo server with a process for each connection: ./echo [ADDRESS] */
#include <prong.h>
#include <stdio.h>

static int echo(struct prong_conn *conn, void *arg)
{
	char buffer[4096];
	ssize_t n;

	(void)arg;
	while ((n = prong_recv(conn, buffer, sizeof(buffer))) > 0)
		if (prong_send(conn, buffer, (size_t)n) < 0)
			return -1;
	return (int)n;
}

int main(int argc, char **argv)
{
	const char *listen[] = { argc > 1 ? argv[1] : "127.0.0.1:7007", NULL };
	char error[PRONG_ERROR_MAX] = "";
	struct prong_options options = { .size = sizeof(options),
					 .listen = listen,
					 .log_fd = 2,
					 .error = error,
					 .error_size = sizeof(error) };
	struct prong *server;

	if (prong_open(&server, &options, echo, NULL) < 0 || prong_run(server) < 0) {
		fprintf(stderr, "echo: %s\n", error);
		return 1;
	}
	prong_close(server);
	return 0;
}
