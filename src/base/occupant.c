#include "occupant.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>

#define IPV4_DIGITS 8
#define IPV6_DIGITS 32

/* The kernel prints each 32-bit word of the address as a number in its own byte order. */
static bool parse_host(struct address *out, const char *digits, unsigned port)
{
	size_t length = strlen(digits);
	uint32_t words[4] = { 0 };

	if (length != IPV4_DIGITS && length != IPV6_DIGITS)
		return false;
	for (size_t i = 0; i < length / 8; i++)
		if (sscanf(digits + 8 * i, "%8x", &words[i]) != 1)
			return false;
	memset(out, 0, sizeof(*out));
	if (length == IPV4_DIGITS) {
		out->any.in.sin_family = AF_INET;
		memcpy(&out->any.in.sin_addr, words, sizeof(out->any.in.sin_addr));
		out->length = sizeof(out->any.in);
	} else {
		out->any.in6.sin6_family = AF_INET6;
		memcpy(&out->any.in6.sin6_addr, words, sizeof(out->any.in6.sin6_addr));
		out->length = sizeof(out->any.in6);
		/*
		 * The tables do not say; most servers that listen on it accept both
		 * families.
		 */
		out->both_families = IN6_IS_ADDR_UNSPECIFIED(&out->any.in6.sin6_addr);
	}
	address_set_port(out, port);
	address_normalize(out);
	return true;
}

bool occupant_parse(const char *text, struct occupant_line *line)
{
	char local[IPV6_DIGITS + 1], remote[IPV6_DIGITS + 1];
	unsigned local_port, remote_port, state;

	if (sscanf(text, " %*u: %32[0-9A-Fa-f]:%4x %32[0-9A-Fa-f]:%4x %2x", local,
		   &local_port, remote, &remote_port, &state) != 5)
		return false;
	line->state = state;
	return parse_host(&line->local, local, local_port) &&
	       parse_host(&line->remote, remote, remote_port);
}

/* A connection in TIME_WAIT does not keep a server from its port: SO_REUSEADDR. */
static enum occupant judge(const struct address *address,
			   const struct occupant_line *line)
{
	if (line->state == TCP_TIME_WAIT || !address_overlaps(&line->local, address))
		return OCCUPANT_NONE;
	return line->state == TCP_LISTEN ? OCCUPANT_SERVER : OCCUPANT_CONNECTION;
}

static enum occupant search(const char *path, const struct address *address,
			    struct occupant_line *line)
{
	enum occupant found = OCCUPANT_NONE;
	FILE *table = fopen(path, "re");
	char text[512];

	if (table == NULL)
		return OCCUPANT_UNKNOWN;
	while (found != OCCUPANT_SERVER && fgets(text, sizeof(text), table) != NULL) {
		struct occupant_line next;
		enum occupant who;

		if (!occupant_parse(text, &next))
			continue;
		who = judge(address, &next);
		if (who <= found)
			continue;
		found = who;
		if (who == OCCUPANT_CONNECTION)
			*line = next;
	}
	fclose(table);
	return found;
}

enum occupant occupant_find(const struct address *address, struct occupant_line *line)
{
	enum occupant ipv4 = search("/proc/net/tcp", address, line);
	enum occupant ipv6;

	if (ipv4 == OCCUPANT_SERVER)
		return ipv4;
	ipv6 = search("/proc/net/tcp6", address, line);
	return ipv4 > ipv6 ? ipv4 : ipv6;
}
