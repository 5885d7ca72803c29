/* RFC 863: what the client sends is received and thrown away. */
#include "service.h"

int service_discard(struct prong_conn *conn, void *arg)
{
	char buffer[128 * 1024];
	ssize_t n;

	(void)arg;
	do {
		n = prong_recv(conn, buffer, sizeof(buffer));
	} while (n > 0);
	return (int)n;
}
