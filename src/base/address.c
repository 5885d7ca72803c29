#include "address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "number.h"

#define HOST_MAX 256 /* a DNS name has 253 characters at most (RFC 1035) */

static void set_ipv4(struct address *address, struct in_addr host, in_port_t port)
{
	memset(address, 0, sizeof(*address));
	address->any.in.sin_family = AF_INET;
	address->any.in.sin_addr = host;
	address->any.in.sin_port = htons(port);
	address->length = sizeof(address->any.in);
}

static void set_ipv6(struct address *address, const struct in6_addr *host,
		     in_port_t port)
{
	memset(address, 0, sizeof(*address));
	address->any.in6.sin6_family = AF_INET6;
	address->any.in6.sin6_addr = *host;
	address->any.in6.sin6_port = htons(port);
	address->length = sizeof(address->any.in6);
}

static int set_unix(struct address *address, const char *path, struct why *why)
{
	size_t length = strlen(path);

	if (length == 0)
		return why_fail(why, -EINVAL, "a path is missing after unix:");
	if (length >= sizeof(address->any.un.sun_path))
		return why_fail(
			why, -ENAMETOOLONG,
			"the path has %zu bytes; a UNIX socket's has %zu at most",
			length, sizeof(address->any.un.sun_path) - 1);
	memset(address, 0, sizeof(*address));
	address->any.un.sun_family = AF_UNIX;
	memcpy(address->any.un.sun_path, path, length + 1);
	address->length =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + 1);
	return 0;
}

static int parse_port(const char *text, in_port_t *out, struct why *why)
{
	uint64_t port;

	if (number_parse(text, 0, 65535, &port) < 0)
		return why_fail(why, -EINVAL,
				"port \"%.40s\" is not a number from 0 to 65535", text);
	*out = (in_port_t)port;
	return 0;
}

static bool already_listed(const struct address_list *list,
			   const struct address *address)
{
	for (unsigned i = 0; i < list->count; i++)
		if (list->at[i].length == address->length &&
		    memcmp(&list->at[i].any, &address->any, address->length) == 0)
			return true;
	return false;
}

/* Names reach the resolver only if they look like one: it takes what it is given. */
static bool looks_like_a_name(const char *host)
{
	if (host[0] == '\0' || host[0] == '-')
		return false;
	for (const char *c = host; *c != '\0'; c++)
		if (!isalnum((unsigned char)*c) && strchr("-._%:", *c) == NULL)
			return false;
	return true;
}

static int resolve(struct address_list *out, const char *host, in_port_t port,
		   struct why *why)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM };
	struct addrinfo *found = NULL;
	int err;

	if (!looks_like_a_name(host))
		return why_fail(why, -EINVAL,
				"that is neither an address nor a host name");
	err = getaddrinfo(host, NULL, &hints, &found);
	if (err != 0)
		return why_fail(
			why, -EHOSTUNREACH, "cannot find the host \"%.255s\": %s", host,
			err == EAI_SYSTEM ? strerror(errno) : gai_strerror(err));
	out->count = 0;
	for (struct addrinfo *ai = found; ai != NULL; ai = ai->ai_next) {
		struct address *next = &out->at[out->count];

		if (out->count == ADDRESS_LIST_MAX ||
		    ai->ai_addrlen > sizeof(next->any))
			continue;
		memset(next, 0, sizeof(*next));
		memcpy(&next->any, ai->ai_addr, ai->ai_addrlen);
		next->length = ai->ai_addrlen;
		if (ai->ai_family == AF_INET)
			next->any.in.sin_port = htons(port);
		else
			next->any.in6.sin6_port = htons(port);
		if (!already_listed(out, next))
			out->count++;
	}
	freeaddrinfo(found);
	return 0;
}

int address_lookup_host(struct address_list *out, const char *host,
			const char *port_text, struct why *why)
{
	struct in6_addr ipv6;
	struct in_addr ipv4;
	in_port_t port = 0;

	if (parse_port(port_text, &port, why) < 0)
		return -EINVAL;
	if (inet_pton(AF_INET, host, &ipv4) == 1)
		set_ipv4(&out->at[0], ipv4, port);
	else if (inet_pton(AF_INET6, host, &ipv6) == 1)
		set_ipv6(&out->at[0], &ipv6, port);
	else
		return resolve(out, host, port, why);
	out->count = 1;
	return 0;
}

static int lookup_bracketed(struct address_list *out, const char *text, struct why *why)
{
	char host[HOST_MAX];
	const char *end = strchr(text, ']');

	if (end == NULL || end[1] != ':' || end - text > (ptrdiff_t)sizeof(host))
		return why_fail(why, -EINVAL,
				"an IPv6 address is written [address]:port");
	snprintf(host, sizeof(host), "%.*s", (int)(end - text - 1), text + 1);
	if (strchr(host, ':') == NULL)
		return why_fail(why, -EINVAL,
				"only an IPv6 address stands in brackets");
	return address_lookup_host(out, host, end + 2, why);
}

static int lookup_wildcard(struct address_list *out, const char *port_text,
			   struct why *why)
{
	in_port_t port = 0;

	if (parse_port(port_text, &port, why) < 0)
		return -EINVAL;
	set_ipv6(&out->at[0], &in6addr_any, port);
	out->at[0].both_families = true;
	out->count = 1;
	return 0;
}

int address_lookup(struct address_list *out, const char *text, struct why *why)
{
	char host[HOST_MAX];
	const char *colon = strrchr(text, ':');

	if (strncmp(text, "unix:", 5) == 0) {
		int err = set_unix(&out->at[0], text + 5, why);

		if (err == 0)
			out->count = 1;
		return err;
	}
	if (text[0] == '[')
		return lookup_bracketed(out, text, why);
	if (colon == NULL)
		return why_fail(why, -EINVAL,
				"write host:port, :port, [v6]:port or unix:/path");
	if (colon == text)
		return lookup_wildcard(out, colon + 1, why);
	if (strchr(text, ':') != colon)
		return why_fail(why, -EINVAL,
				"an IPv6 address is written [address]:port");
	if ((size_t)(colon - text) >= sizeof(host))
		return why_fail(why, -EINVAL,
				"the host name is longer than %zu characters",
				sizeof(host) - 1);
	snprintf(host, sizeof(host), "%.*s", (int)(colon - text), text);
	return address_lookup_host(out, host, colon + 1, why);
}

/* A client may have bound its end to any bytes, NUL too in an abstract name. */
static void format_unix(const struct address *address, char *text, size_t size)
{
	size_t offset = offsetof(struct sockaddr_un, sun_path);
	size_t length = address->length > offset ? address->length - offset : 0;
	const char *path = address->any.un.sun_path;
	size_t used = (size_t)snprintf(text, size, "unix:");

	if (used >= size)
		return;
	if (length > 0 && path[0] != '\0')
		length = strnlen(path, length);
	for (size_t i = 0; i < length && used + 1 < size; i++)
		text[used++] = path[i] != '\0' ? path[i] : '@';
	text[used] = '\0';
}

void address_format(const struct address *address, char *text, size_t size)
{
	char host[INET6_ADDRSTRLEN];

	switch (address_family(address)) {
	case AF_INET:
		inet_ntop(AF_INET, &address->any.in.sin_addr, host, sizeof(host));
		snprintf(text, size, "%s:%u", host, ntohs(address->any.in.sin_port));
		break;
	case AF_INET6:
		inet_ntop(AF_INET6, &address->any.in6.sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host,
			 ntohs(address->any.in6.sin6_port));
		break;
	default:
		format_unix(address, text, size);
	}
}

void address_normalize(struct address *address)
{
	struct in6_addr *ipv6 = &address->any.in6.sin6_addr;
	struct in_addr ipv4;

	/* The kernel tells the length that it would have needed. */
	if (address->length > sizeof(address->any))
		address->length = sizeof(address->any);
	if (address_family(address) != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(ipv6))
		return;
	memcpy(&ipv4, &ipv6->s6_addr[12], sizeof(ipv4));
	set_ipv4(address, ipv4, ntohs(address->any.in6.sin6_port));
}
