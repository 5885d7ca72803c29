#include "ucspi.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/address.h"

#define FROM_SERVER 6
#define TO_SERVER   7

/* "TCPREMOTE" and "IP" make TCPREMOTEIP; a value of NULL removes the variable. */
static int set(const char *side, const char *what, const char *value)
{
	char name[32];
	int err;

	snprintf(name, sizeof(name), "%s%s", side, what);
	err = value != NULL ? setenv(name, value, 1) : unsetenv(name);
	return err < 0 ? -errno : 0;
}

/* A link-local IPv6 address has its scope after a '%'. */
static int describe_tcp(struct address *address, const char *side)
{
	char host[ADDRESS_TEXT_MAX], port[8];
	int err;

	address_normalize(address);
	if (getnameinfo(&address->any.sa, address->length, host, sizeof(host), port,
			sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
		return -EINVAL;
	err = set(side, "IP", host);
	return err < 0 ? err : set(side, "PORT", port);
}

static int set_tcp(struct address *there, struct address *here, const char *host)
{
	int err = set("PROTO", "", "TCP");

	if (err == 0)
		err = describe_tcp(there, "TCPREMOTE");
	if (err == 0)
		err = describe_tcp(here, "TCPLOCAL");
	if (err == 0)
		err = set("TCPREMOTE", "HOST", host);
	if (err == 0)
		err = set("TCPREMOTE", "INFO", NULL);
	if (err == 0)
		err = set("TCPLOCAL", "HOST", NULL);
	return err;
}

static int set_number(const char *side, const char *what, unsigned number)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", number);
	return set(side, what, text);
}

static int set_unix(int sock, const struct address *there)
{
	char path[ADDRESS_TEXT_MAX];
	struct ucred server;
	socklen_t size = sizeof(server);
	int err = set("PROTO", "", "UNIX");

	if (getsockopt(sock, SOL_SOCKET, SO_PEERCRED, &server, &size) < 0)
		return -errno;
	address_format(there, path, sizeof(path));
	if (err == 0)
		err = set("UNIXREMOTE", "PATH", path + strlen("unix:"));
	if (err == 0)
		err = set_number("UNIXREMOTE", "PID", (unsigned)server.pid);
	if (err == 0)
		err = set_number("UNIXREMOTE", "EUID", server.uid);
	if (err == 0)
		err = set_number("UNIXREMOTE", "EGID", server.gid);
	return err;
}

static int set_environment(int sock, const char *host)
{
	struct address there = { .length = sizeof(there.any) };
	struct address here = { .length = sizeof(here.any) };

	if (getpeername(sock, &there.any.sa, &there.length) < 0 ||
	    getsockname(sock, &here.any.sa, &here.length) < 0)
		return -errno;
	if (address_family(&there) == AF_UNIX)
		return set_unix(sock, &there);
	return set_tcp(&there, &here, host);
}

/* sock itself may be one of the two. */
static int place_descriptors(int sock)
{
	int flags = fcntl(sock, F_GETFL);
	int fd;

	if (flags < 0 || fcntl(sock, F_SETFL, flags & ~O_NONBLOCK) < 0)
		return -errno;
	fd = fcntl(sock, F_DUPFD_CLOEXEC, TO_SERVER + 1);
	if (fd < 0 || dup2(fd, FROM_SERVER) < 0 || dup2(fd, TO_SERVER) < 0)
		return -errno;
	return 0;
}

int ucspi_exec(int sock, const char *host, char **argv)
{
	int err = set_environment(sock, host);

	if (err == 0)
		err = place_descriptors(sock);
	if (err < 0)
		return err;
	execvp(argv[0], argv);
	return -errno;
}
