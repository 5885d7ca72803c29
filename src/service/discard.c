/* RFC 863: receives and discards what the client sends. */
#include "service.h"

int service_discard(struct prong_conn *conn, void *arg)
{
	char buffer[128 * 1024];
	size_t used = 0;
	ssize_t n;

	(void)arg;
	do {
		n = prong_recv(conn, buffer, sizeof(buffer));
		used = n > (ssize_t)used ? (size_t)n : used;
	} while (n > 0);
	service_forget(buffer, used);
	return (int)n;
}
