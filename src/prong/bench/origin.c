#include "origin.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/number.h"

#define ADDRESSES_MAX (1 << 24)

int origin_parse(struct origin *out, const char *text)
{
	char host[INET_ADDRSTRLEN];
	size_t length = strcspn(text, "/");
	struct in_addr address;
	uint64_t count = 1;
	uint32_t first;

	if (length >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, length);
	host[length] = '\0';
	if (inet_pton(AF_INET, host, &address) != 1)
		return -EINVAL;
	if (text[length] == '/' &&
	    number_parse(text + length + 1, 1, ADDRESSES_MAX, &count) < 0)
		return -EINVAL;
	first = ntohl(address.s_addr);
	if (first > UINT32_MAX - (uint32_t)(count - 1))
		return -EINVAL;
	*out = (struct origin){ .first = first, .count = (uint32_t)count };
	return 0;
}

struct origin origin_share(const struct origin *whole, unsigned index, unsigned workers)
{
	struct origin share = { .first = whole->first, .count = whole->count };

	if (whole->count == 0)
		return share;
	if (whole->count < workers) {
		share.first += index % whole->count;
		share.count = 1;
		return share;
	}
	share.first += (uint32_t)((uint64_t)whole->count * index / workers);
	share.count = (uint32_t)((uint64_t)whole->count * (index + 1) / workers) -
		      (share.first - whole->first);
	return share;
}

int origin_bind(struct origin *origin, int fd)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(origin->first + origin->next),
	};
	int on = 1;

	if (origin->count == 0)
		return 0;
	origin->next = (origin->next + 1) % origin->count;
	if (setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on)) < 0)
		return -errno;
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	return 0;
}
