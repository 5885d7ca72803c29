#include "hostname.h"

#include <netdb.h>
#include <resolv.h>
#include <string.h>
#include <strings.h>

#define LABEL_MAX 63

static const char digits[] = "0123456789";
static const char hex_digits[] = "0123456789abcdefABCDEF";
static const char allowed[] = "abcdefghijklmnopqrstuvwxyz"
			      "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
			      "0123456789-_";

static bool is_fit_label(const char *label, size_t length)
{
	return length >= 1 && length <= LABEL_MAX && strspn(label, allowed) >= length &&
	       label[0] != '-' && label[length - 1] != '-';
}

/* A number as inet_aton(3) reads it: decimal, octal or hexadecimal. */
static bool is_number(const char *label)
{
	if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
		return label[2 + strspn(label + 2, hex_digits)] == '\0';
	return label[strspn(label, digits)] == '\0';
}

static bool is_localhost(const char *text)
{
	static const char word[] = "localhost";
	size_t length = strlen(text), size = sizeof(word) - 1;

	if (strncasecmp(text, word, size) == 0 &&
	    (text[size] == '\0' || text[size] == '.'))
		return true;
	return length > size && strcasecmp(text + length - size, word) == 0 &&
	       text[length - size - 1] == '.';
}

static bool is_reserved(const char *text, bool loopback)
{
	return strcasecmp(text, "unknown") == 0 || strcasecmp(text, "paranoid") == 0 ||
	       (!loopback && is_localhost(text));
}

bool hostname_is_fit(const char *text, bool loopback)
{
	const char *label = text;

	if (strlen(text) >= HOSTNAME_MAX)
		return false;
	for (;;) {
		size_t length = strcspn(label, ".");

		if (!is_fit_label(label, length))
			return false;
		if (label[length] == '\0')
			break;
		label += length + 1;
	}
	return !is_number(label) && !is_reserved(text, loopback);
}

static bool is_loopback(const struct address *address)
{
	if (address_family(address) == AF_INET6)
		return IN6_IS_ADDR_LOOPBACK(&address->any.in6.sin6_addr);
	return ntohl(address->any.in.sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
}

static bool is_of(const struct address *address, const struct sockaddr *other)
{
	if (other->sa_family != address_family(address))
		return false;
	if (other->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const void *)other;

		return IN6_ARE_ADDR_EQUAL(&in6->sin6_addr, &address->any.in6.sin6_addr);
	}
	return ((const struct sockaddr_in *)(const void *)other)->sin_addr.s_addr ==
	       address->any.in.sin_addr.s_addr;
}

/* The name is looked up as it is: with a search domain it would name another host. */
static bool is_confirmed(const char *name, const struct address *address)
{
	const struct addrinfo hints = {
		.ai_family = address_family(address),
		.ai_socktype = SOCK_STREAM,
	};
	struct addrinfo *found = NULL;
	bool confirmed = false;

	res_init();
	_res.options &= ~(unsigned long)(RES_DEFNAMES | RES_DNSRCH);
	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return false;
	for (const struct addrinfo *each = found; each != NULL; each = each->ai_next)
		confirmed = confirmed || is_of(address, each->ai_addr);
	freeaddrinfo(found);
	return confirmed;
}

void hostname_find(char name[HOSTNAME_MAX], const struct address *address)
{
	if (getnameinfo(&address->any.sa, address->length, name, HOSTNAME_MAX, NULL, 0,
			NI_NAMEREQD) != 0 ||
	    !hostname_is_fit(name, is_loopback(address)) ||
	    !is_confirmed(name, address))
		name[0] = '\0';
}
