#include "half_open.h"

#include <sys/socket.h>

#include <errno.h>
#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#define REPLY_MAX   16384 /* bytes; the kernel fills no more than 32 KiB at once */
#define RETRIES_MAX 1     /* SYN-ACKs sent again, of a handshake that counts */

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 body;
};

static int ask(int fd, int family, unsigned port)
{
	struct request request = {
		.header = { .nlmsg_len = sizeof(request),
			    .nlmsg_type = SOCK_DIAG_BY_FAMILY,
			    .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP },
		.body = { .sdiag_family = (uint8_t)family,
			  .sdiag_protocol = IPPROTO_TCP,
			  .idiag_states = 1u << TCP_SYN_RECV,
			  .id.idiag_sport = htons((uint16_t)port) },
	};

	return send(fd, &request, sizeof(request), 0) < 0 ? -errno : 0;
}

/* A listener on a wildcard has the handshakes of every local address. */
static bool is_at(const struct address *address, const struct inet_diag_msg *message)
{
	const struct in6_addr *host6 = &address->any.in6.sin6_addr;
	in_addr_t host = address->any.in.sin_addr.s_addr;

	if (address_family(address) == AF_INET6)
		return IN6_IS_ADDR_UNSPECIFIED(host6) ||
		       memcmp(host6, message->id.idiag_src, sizeof(*host6)) == 0;
	return host == htonl(INADDR_ANY) || host == message->id.idiag_src[0];
}

static bool counts(const struct address *address, const struct nlmsghdr *header)
{
	const struct inet_diag_msg *message = NLMSG_DATA(header);

	return header->nlmsg_type == SOCK_DIAG_BY_FAMILY &&
	       header->nlmsg_len >= NLMSG_LENGTH(sizeof(*message)) &&
	       message->idiag_state == TCP_SYN_RECV &&
	       message->idiag_retrans <= RETRIES_MAX && is_at(address, message);
}

/* The errno in the kernel's answer, which is negative there already. */
static int error_of(const struct nlmsghdr *header)
{
	const struct nlmsgerr *message = NLMSG_DATA(header);

	if (header->nlmsg_len < NLMSG_LENGTH(sizeof(*message)) || message->error >= 0)
		return -EPROTO;
	return message->error;
}

/* Adds to *count what a datagram holds. Returns 1 if more follow, 0, or -errno. */
static int read_part(int fd, const struct address *address, int *count)
{
	union {
		struct nlmsghdr first;
		char bytes[REPLY_MAX];
	} reply;
	ssize_t size = recv(fd, &reply, sizeof(reply), MSG_DONTWAIT | MSG_TRUNC);
	const struct nlmsghdr *header = &reply.first;

	if (size < 0)
		return -errno;
	if ((size_t)size > sizeof(reply))
		return -EMSGSIZE;
	for (unsigned left = (unsigned)size; NLMSG_OK(header, left);
	     header = NLMSG_NEXT(header, left)) {
		if (header->nlmsg_type == NLMSG_DONE)
			return 0;
		if (header->nlmsg_type == NLMSG_ERROR)
			return error_of(header);
		*count += counts(address, header);
	}
	return 1;
}

static int count_of_family(const struct address *address, int family)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int count = 0, result;

	if (fd < 0)
		return -errno;
	result = ask(fd, family, address_port(address));
	if (result == 0)
		do
			result = read_part(fd, address, &count);
		while (result > 0);
	close(fd);
	return result < 0 ? result : count;
}

int half_open_count(const struct address *address)
{
	int count = count_of_family(address, address_family(address)), of_ipv4;

	if (count < 0 || !address->both_families)
		return count;
	of_ipv4 = count_of_family(address, AF_INET);
	return of_ipv4 < 0 ? of_ipv4 : count + of_ipv4;
}
