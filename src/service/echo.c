/* RFC 862: sends back what the client sends. */
#include "service.h"

#include <stdbool.h>

/*
 * A fresh process pays for each page that it touches first. A short exchange fits into
 * the rest of the stack's page. A client that fills that sends a stream, for which a
 * large buffer saves more than its pages cost.
 */
#define SHORT_EXCHANGE 1536
#define STREAM         (128 * 1024)

/* Echoes until the end or, with until_full, until the buffer was filled at once. */
static ssize_t echo_through(struct prong_conn *conn, char *buffer, size_t size,
			    bool until_full)
{
	size_t used = 0;
	ssize_t n;

	while ((n = prong_recv(conn, buffer, size)) > 0) {
		int err = prong_send(conn, buffer, (size_t)n);

		used = (size_t)n > used ? (size_t)n : used;
		if (err < 0)
			n = err;
		if (err < 0 || (until_full && (size_t)n == size))
			break;
	}
	service_forget(buffer, used);
	return n;
}

__attribute__((noinline)) static ssize_t echo_stream(struct prong_conn *conn)
{
	char buffer[STREAM];

	return echo_through(conn, buffer, sizeof(buffer), false);
}

int service_echo(struct prong_conn *conn, void *arg)
{
	char buffer[SHORT_EXCHANGE];
	ssize_t n = echo_through(conn, buffer, sizeof(buffer), true);

	(void)arg;
	if (n > 0)
		n = echo_stream(conn);
	return (int)n;
}
