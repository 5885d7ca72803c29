/*
 * Owns addresses and the making of sockets. It never waits and never resolves names.
 */
#include "target.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A decimal number from 1 to limit and nothing after it. */
static bool read_number(const char *text, unsigned long limit, unsigned long *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return false;
	errno = 0;
	*out = strtoul(text, &end, 10);
	return errno == 0 && *end == '\0' && *out >= 1 && *out <= limit;
}

static int parse_unix(struct target *out, const char *path)
{
	size_t length = strlen(path);

	if (length == 0 || length >= sizeof(out->any.un.sun_path))
		return -EINVAL;
	out->any.un.sun_family = AF_UNIX;
	memcpy(out->any.un.sun_path, path, length + 1);
	out->length = sizeof(out->any.un);
	return 0;
}

static int parse_host(struct target *out, const char *host, unsigned long port)
{
	if (inet_pton(AF_INET, host, &out->any.in.sin_addr) == 1) {
		out->any.in.sin_family = AF_INET;
		out->any.in.sin_port = htons((uint16_t)port);
		out->length = sizeof(out->any.in);
		return 0;
	}
	if (inet_pton(AF_INET6, host, &out->any.in6.sin6_addr) == 1) {
		out->any.in6.sin6_family = AF_INET6;
		out->any.in6.sin6_port = htons((uint16_t)port);
		out->length = sizeof(out->any.in6);
		return 0;
	}
	return -EINVAL;
}

int target_parse(struct target *out, const char *text)
{
	char host[INET6_ADDRSTRLEN];
	const char *colon = strrchr(text, ':');
	size_t length;
	unsigned long port;
	bool bracketed = *text == '[';

	*out = (struct target){ .text = text };
	if (strncmp(text, "unix:", 5) == 0)
		return parse_unix(out, text + 5);
	if (colon == NULL || !read_number(colon + 1, 65535, &port))
		return -EINVAL;
	length = (size_t)(colon - text);
	if (bracketed) {
		if (length < 3 || text[length - 1] != ']')
			return -EINVAL;
		text++;
		length -= 2;
	}
	if (length == 0 || length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (bracketed != (strchr(host, ':') != NULL))
		return -EINVAL;
	return parse_host(out, host, port);
}

int source_parse(struct source *out, const char *text)
{
	char host[INET_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	struct in_addr first;
	unsigned long count = 1;

	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (inet_pton(AF_INET, host, &first) != 1)
		return -EINVAL;
	if (text[length] == '/' && !read_number(text + length + 1, 1UL << 24, &count))
		return -EINVAL;
	*out = (struct source){ .first = ntohl(first.s_addr),
				.count = (uint32_t)count };
	if (out->first > UINT32_MAX - (out->count - 1))
		return -EINVAL;
	return 0;
}

/* The port is chosen by connect(2), so that every address has all ports. */
static int bind_source(int fd, struct source *source)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(source->first + source->next),
	};
	int on = 1;

	source->next = (source->next + 1) % source->count;
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}

int target_socket(const struct target *target, struct source *source, int nodelay)
{
	int family = target->any.sa.sa_family;
	int err = 0;
	int fd;

	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (source->count > 0)
		err = bind_source(fd, source);
	if (err == 0 && nodelay && family != AF_UNIX &&
	    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &nodelay, sizeof(nodelay)) < 0)
		err = -errno;
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}

int target_connect(const struct target *target, int fd)
{
	if (connect(fd, &target->any.sa, target->length) == 0)
		return 0;
	return errno == EINTR ? -EINPROGRESS : -errno;
}

bool target_is_self(const struct target *target, int fd)
{
	struct target own = { .length = sizeof(own.any) };

	if (target->any.sa.sa_family == AF_UNIX ||
	    getsockname(fd, &own.any.sa, &own.length) < 0)
		return false;
	if (own.any.sa.sa_family == AF_INET)
		return own.any.in.sin_port == target->any.in.sin_port &&
		       own.any.in.sin_addr.s_addr == target->any.in.sin_addr.s_addr;
	return own.any.in6.sin6_port == target->any.in6.sin6_port &&
	       memcmp(&own.any.in6.sin6_addr, &target->any.in6.sin6_addr,
		      sizeof(own.any.in6.sin6_addr)) == 0;
}
