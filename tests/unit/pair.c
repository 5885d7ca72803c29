#include "pair.h"

#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

#include "check.h"

struct pair pair_tcp(void)
{
	struct sockaddr_in address = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t length = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	struct pair pair;

	assert_true(listener >= 0);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, length), 0);
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &length),
			 0);
	pair.client = socket(AF_INET, SOCK_STREAM, 0);
	assert_int_equal(connect(pair.client, (struct sockaddr *)&address, length), 0);
	pair.server = accept(listener, NULL, NULL);
	assert_true(pair.server >= 0);
	close(listener);
	return pair;
}

struct pair pair_unix(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	return (struct pair){ .server = ends[0], .client = ends[1] };
}

void pair_close(struct pair *pair)
{
	if (pair->server >= 0)
		close(pair->server);
	if (pair->client >= 0)
		close(pair->client);
	pair->server = pair->client = -1;
}

void pair_reset(struct pair *pair)
{
	struct linger at_once = { .l_onoff = 1, .l_linger = 0 };

	setsockopt(pair->client, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	close(pair->client);
	pair->client = -1;
}

long pair_drain(int fd)
{
	char buffer[65536];
	long total = 0;
	ssize_t n;

	while ((n = read(fd, buffer, sizeof(buffer))) > 0)
		total += n;
	return n < 0 ? -errno : total;
}

void pair_read(int fd, void *buffer, size_t size)
{
	char *rest = buffer;

	while (size > 0) {
		ssize_t n = read(fd, rest, size);

		assert_true(n > 0);
		rest += n;
		size -= (size_t)n;
	}
}
