#include "bind_failure.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "occupant.h"

/* The kernel may give a client a port that a server would listen on; ip(7). */
static int explain_connection(const struct occupant_line *line, struct why *why)
{
	FILE *range = fopen("/proc/sys/net/ipv4/ip_local_port_range", "re");
	char local[ADDRESS_TEXT_MAX], remote[ADDRESS_TEXT_MAX];
	unsigned port = address_port(&line->local);
	unsigned first = 0, last = 0;

	address_format(&line->local, local, sizeof(local));
	address_format(&line->remote, remote, sizeof(remote));
	why_set(why,
		"an open connection, from %s to %s, uses this port: wait until it ends",
		local, remote);
	if (range != NULL && fscanf(range, "%u %u", &first, &last) == 2 &&
	    port >= first && port <= last)
		why_append(why,
			   ", or choose a port outside %u to %u, the range from "
			   "which the kernel gives ports to clients "
			   "(net.ipv4.ip_local_port_range)",
			   first, last);
	if (range != NULL)
		fclose(range);
	return -EADDRINUSE;
}

static int explain_in_use(const struct address *address, struct why *why)
{
	enum occupant occupant = OCCUPANT_SERVER;
	struct occupant_line line;

	if (address_family(address) != AF_UNIX && address_port(address) == 0)
		return why_fail(why, -EADDRINUSE,
				"the kernel has no free port left to choose "
				"(net.ipv4.ip_local_port_range)");
	if (address_family(address) != AF_UNIX)
		occupant = occupant_find(address, &line);
	switch (occupant) {
	case OCCUPANT_CONNECTION:
		return explain_connection(&line, why);
	case OCCUPANT_NONE:
		return why_fail(why, -EADDRINUSE,
				"another program has bound this address, although "
				"it does not listen");
	case OCCUPANT_UNKNOWN:
		return why_fail(why, -EADDRINUSE, "another program uses this address");
	case OCCUPANT_SERVER:
		break;
	}
	return why_fail(why, -EADDRINUSE,
			"another server listens on this address "
			"already");
}

int bind_failure_explain(const struct address *address, int err, struct why *why)
{
	bool ipv6 = address_family(address) == AF_INET6;

	switch (-err) {
	case EADDRINUSE:
		return explain_in_use(address, why);
	case EACCES:
		if (address_family(address) == AF_UNIX)
			break;
		return why_fail(why, err,
				"this port needs root or CAP_NET_BIND_SERVICE");
	case EEXIST:
		return why_fail(why, err, "the path exists and is not a socket");
	case EADDRNOTAVAIL:
		return why_fail(why, err, "this machine does not have this address%s",
				ipv6 ? " (or IPv6 is disabled)" : "");
	case EINVAL:
		if (!ipv6 || !IN6_IS_ADDR_LINKLOCAL(&address->any.in6.sin6_addr) ||
		    address->any.in6.sin6_scope_id != 0)
			break;
		return why_fail(why, err,
				"a link-local address needs its interface: append "
				"it, as in %%eth0");
	case ENODEV:
		return why_fail(why, err, "there is no such interface");
	case EAFNOSUPPORT:
		return why_fail(why, err, "this kernel does not support %s",
				ipv6 ? "IPv6" : "such sockets");
	default:
		break;
	}
	return why_fail(why, why_kernels(err), "%s", strerror(-err));
}
