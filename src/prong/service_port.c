#include "service_port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stddef.h>

int service_port_find(const char *name, in_port_t *out)
{
	const struct servent *service = getservbyname(name, "tcp");

	if (service == NULL)
		return -ENOENT;
	*out = ntohs((in_port_t)service->s_port);
	return 0;
}
