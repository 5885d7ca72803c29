/* RFC 862: what the client sends, back to it. */
#include "service.h"

/*
 * Large for streams; a short exchange touches, and so pays for, only the pages
 * that it fills.
 */
#define BUFFER_SIZE (128 * 1024)

int service_echo(struct prong_conn *conn, void *arg)
{
	char buffer[BUFFER_SIZE];
	ssize_t n;

	(void)arg;
	while ((n = prong_recv(conn, buffer, sizeof(buffer))) > 0) {
		int err = prong_send(conn, buffer, (size_t)n);

		if (err < 0)
			return err;
	}
	return (int)n;
}
