#include "dial.h"

#include <netinet/tcp.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define UNIX_RETRY_MS 20 /* a full queue cannot be waited for (unix(7), EAGAIN) */

static int pending_error(int fd)
{
	socklen_t length = sizeof(int);
	int error;

	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		return -errno;
	return -error;
}

/* Waits for fd to be writable, or, with -1, for the deadline. 0, -ETIMEDOUT, -EINTR. */
static int wait_writable(int fd, int64_t deadline_us, int interrupts)
{
	struct pollfd ready[] = {
		{ .fd = interrupts, .events = POLLIN },
		{ .fd = fd, .events = POLLOUT },
	};

	for (;;) {
		if (poll(ready, 2, clock_timeout_ms(deadline_us, clock_now_us())) < 0)
			continue;
		if (ready[0].revents != 0)
			return -EINTR;
		if (ready[1].revents != 0)
			return 0;
		if (clock_now_us() >= deadline_us)
			return -ETIMEDOUT;
	}
}

static int wait_connected(int fd, int64_t deadline_us, int interrupts)
{
	int err = wait_writable(fd, deadline_us, interrupts);

	return err < 0 ? err : pending_error(fd);
}

/* Waits a moment before the next attempt, but not beyond the deadline. */
static int wait_for_room(int64_t deadline_us, int interrupts)
{
	int64_t pause_us = clock_now_us() + clock_us_from_ms(UNIX_RETRY_MS);
	int err;

	if (deadline_us <= clock_now_us())
		return -ETIMEDOUT;
	err = wait_writable(-1, pause_us < deadline_us ? pause_us : deadline_us,
			    interrupts);
	return err == -ETIMEDOUT ? 0 : err;
}

static int connect_until(int fd, const struct address *to, int64_t deadline_us,
			 int interrupts)
{
	int err;

	while (connect(fd, &to->any.sa, to->length) < 0) {
		if (errno == EINPROGRESS)
			return wait_connected(fd, deadline_us, interrupts);
		if (errno != EAGAIN || address_family(to) != AF_UNIX)
			return -errno;
		err = wait_for_room(deadline_us, interrupts);
		if (err < 0)
			return err;
	}
	return 0;
}

/*
 * On the same host, where nobody listens, the kernel may choose the very port that is
 * being called, and the socket then talks to itself (RFC 9293, simultaneous open).
 */
static bool is_itself(int fd, const struct address *to)
{
	struct address own = { .length = sizeof(own.any) };

	if (address_family(to) == AF_UNIX)
		return false;
	if (getsockname(fd, &own.any.sa, &own.length) < 0)
		return false;
	return own.length == to->length && memcmp(&own.any, &to->any, own.length) == 0;
}

int dial(int *out, const struct address *to, int64_t timeout_ms, int interrupts)
{
	int64_t deadline_us = timeout_ms > 0
				      ? clock_now_us() + clock_us_from_ms(timeout_ms)
				      : CLOCK_NEVER;
	int on = 1;
	int err;
	int fd;

	fd = socket(address_family(to), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (address_family(to) != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	err = connect_until(fd, to, deadline_us, interrupts);
	if (err == 0 && is_itself(fd, to))
		err = -ECONNREFUSED;
	if (err < 0) {
		close(fd);
		return err;
	}
	*out = fd;
	return 0;
}
