#include "address.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <net/if.h>
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

/* An abstract name begins with a NUL and has none after it: unix(7). */
static int set_abstract(struct address *address, const char *name, struct why *why)
{
	size_t length = strlen(name);

	if (length == 0)
		return why_fail(why, -EINVAL, "a name is missing after unix:@");
	if (length >= sizeof(address->any.un.sun_path))
		return why_fail(
			why, -ENAMETOOLONG,
			"the name is %zu bytes long; an abstract socket's is %zu at "
			"most",
			length, sizeof(address->any.un.sun_path) - 1);
	memset(address, 0, sizeof(*address));
	address->any.un.sun_family = AF_UNIX;
	memcpy(address->any.un.sun_path + 1, name, length);
	address->length =
		(socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + length);
	return 0;
}

static int set_unix(struct address *address, const char *path, struct why *why)
{
	size_t length = strlen(path);

	if (length == 0)
		return why_fail(why, -EINVAL, "a path is missing after unix:");
	if (path[0] == '@')
		return set_abstract(address, path + 1, why);
	if (length >= sizeof(address->any.un.sun_path))
		return why_fail(
			why, -ENAMETOOLONG,
			"the path is %zu bytes long; a UNIX socket's is %zu at most",
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

bool address_is_same(const struct address *a, const struct address *b)
{
	return a->length == b->length && memcmp(&a->any, &b->any, a->length) == 0;
}

static bool is_wildcard(const struct address *address)
{
	if (address_family(address) == AF_INET)
		return address->any.in.sin_addr.s_addr == htonl(INADDR_ANY);
	return IN6_IS_ADDR_UNSPECIFIED(&address->any.in6.sin6_addr);
}

/* The scope of an address that belongs to the whole machine is 0. */
static bool hosts_are_same(const struct address *a, const struct address *b)
{
	if (address_family(a) == AF_INET)
		return a->any.in.sin_addr.s_addr == b->any.in.sin_addr.s_addr;
	return IN6_ARE_ADDR_EQUAL(&a->any.in6.sin6_addr, &b->any.in6.sin6_addr) &&
	       (a->any.in6.sin6_scope_id == b->any.in6.sin6_scope_id ||
		a->any.in6.sin6_scope_id == 0 || b->any.in6.sin6_scope_id == 0);
}

bool address_overlaps(const struct address *a, const struct address *b)
{
	if (address_family(a) == AF_UNIX || address_family(b) == AF_UNIX)
		return address_is_same(a, b);
	if (address_port(a) != address_port(b))
		return false;
	if (address_family(a) != address_family(b))
		return a->both_families || b->both_families;
	return is_wildcard(a) || is_wildcard(b) || hosts_are_same(a, b);
}

static bool already_listed(const struct address_list *list,
			   const struct address *address)
{
	for (unsigned i = 0; i < list->count; i++)
		if (address_is_same(&list->at[i], address))
			return true;
	return false;
}

/* Finds an interface by its name or its number. Returns 0 if there is none. */
static unsigned find_interface(const char *name)
{
	unsigned index = if_nametoindex(name);
	uint64_t number;

	if (index == 0 && number_parse(name, 1, UINT32_MAX, &number) == 0)
		index = (unsigned)number;
	return index;
}

/*
 * "fe80::1%eth0" (RFC 4007, 11): a link-local address belongs to an interface, and
 * cannot be used without it. Returns 0; 1 if host is not an IPv6 address.
 */
static int parse_ipv6(struct address *out, const char *host, in_port_t port,
		      struct why *why)
{
	size_t length = strcspn(host, "%");
	char numbers[INET6_ADDRSTRLEN];
	struct in6_addr ipv6;

	if (length >= sizeof(numbers))
		return 1;
	memcpy(numbers, host, length);
	numbers[length] = '\0';
	if (inet_pton(AF_INET6, numbers, &ipv6) != 1)
		return 1;
	set_ipv6(out, &ipv6, port);
	if (host[length] == '%') {
		const char *name = host + length + 1;

		out->any.in6.sin6_scope_id = find_interface(name);
		if (out->any.in6.sin6_scope_id == 0)
			return why_fail(why, -EHOSTUNREACH,
					"there is no interface \"%.40s\"", name);
	} else if (IN6_IS_ADDR_LINKLOCAL(&ipv6)) {
		return why_fail(why, -EINVAL,
				"a link-local address needs its interface: write "
				"%s%%eth0",
				numbers);
	}
	return 0;
}

/* Only text that looks like a name goes to the resolver, which accepts anything. */
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
				"it is neither an address nor a host name");
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
	struct in_addr ipv4;
	in_port_t port = 0;
	int err = 0;

	if (parse_port(port_text, &port, why) < 0)
		return -EINVAL;
	if (inet_pton(AF_INET, host, &ipv4) == 1)
		set_ipv4(&out->at[0], ipv4, port);
	else
		err = parse_ipv6(&out->at[0], host, port, why);
	if (err == 1)
		return resolve(out, host, port, why);
	if (err == 0)
		out->count = 1;
	return err;
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
				"only an IPv6 address is written in brackets");
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
				"write host:port, :port, [v6]:port, unix:/path or "
				"unix:@name");
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

/* A client may have bound its end to any bytes, including NUL in an abstract name. */
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

/* Appends "%eth0", or "%2" if the name is unknown or not fit for an address. */
static void append_interface(char host[ADDRESS_HOST_MAX], unsigned index)
{
	size_t used = strlen(host);
	char name[IF_NAMESIZE];

	if (if_indextoname(index, name) == NULL || !looks_like_a_name(name))
		snprintf(name, sizeof(name), "%u", index);
	snprintf(host + used, ADDRESS_HOST_MAX - used, "%%%s", name);
}

void address_format_host(const struct address *address, char text[ADDRESS_HOST_MAX])
{
	if (address_family(address) == AF_INET) {
		inet_ntop(AF_INET, &address->any.in.sin_addr, text, ADDRESS_HOST_MAX);
		return;
	}
	inet_ntop(AF_INET6, &address->any.in6.sin6_addr, text, ADDRESS_HOST_MAX);
	if (address->any.in6.sin6_scope_id != 0)
		append_interface(text, address->any.in6.sin6_scope_id);
}

void address_format(const struct address *address, char *text, size_t size)
{
	char host[ADDRESS_HOST_MAX];

	switch (address_family(address)) {
	case AF_INET:
		address_format_host(address, host);
		snprintf(text, size, "%s:%u", host, address_port(address));
		break;
	case AF_INET6:
		address_format_host(address, host);
		snprintf(text, size, "[%s]:%u", host, address_port(address));
		break;
	default:
		format_unix(address, text, size);
	}
}

void address_normalize(struct address *address)
{
	struct in6_addr *ipv6 = &address->any.in6.sin6_addr;
	struct in_addr ipv4;

	/* The kernel reports the length that the whole address would have needed. */
	if (address->length > sizeof(address->any))
		address->length = sizeof(address->any);
	if (address_family(address) != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(ipv6))
		return;
	memcpy(&ipv4, &ipv6->s6_addr[12], sizeof(ipv4));
	set_ipv4(address, ipv4, ntohs(address->any.in6.sin6_port));
}
