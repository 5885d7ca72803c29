#include "target.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

int target_socket(const struct address *target, struct origin *origin, bool nodelay)
{
	int family = address_family(target);
	int on = 1;
	int err;
	int fd;

	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	err = origin_bind(origin, fd);
	if (err == 0 && nodelay && family != AF_UNIX &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0)
		err = -errno;
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}

int target_connect(const struct address *target, int fd)
{
	if (connect(fd, &target->any.sa, target->length) == 0)
		return 0;
	return errno == EINTR ? -EINPROGRESS : -errno;
}

bool target_is_self(const struct address *target, int fd)
{
	struct address own = { .length = sizeof(own.any) };

	if (address_family(target) == AF_UNIX ||
	    getsockname(fd, &own.any.sa, &own.length) < 0)
		return false;
	if (address_family(&own) == AF_INET)
		return own.any.in.sin_port == target->any.in.sin_port &&
		       own.any.in.sin_addr.s_addr == target->any.in.sin_addr.s_addr;
	return own.any.in6.sin6_port == target->any.in6.sin6_port &&
	       memcmp(&own.any.in6.sin6_addr, &target->any.in6.sin6_addr,
		      sizeof(own.any.in6.sin6_addr)) == 0;
}
