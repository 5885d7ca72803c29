#include "linger.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "server.h"
#include "stop.h"

void linger_open(struct lingering *lingering)
{
	for (unsigned i = 0; i < LINGER_MAX; i++)
		lingering->at[i].fd = -1;
	lingering->next = 0;
	lingering->count = 0;
}

void linger_close_fd(int fd)
{
	struct linger none = { 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

static void end(struct prong *server, unsigned index)
{
	struct lingering *lingering = &server->lingering;
	int fd = lingering->at[index].fd;

	if (fd < 0)
		return;
	server_unwatch(server, fd);
	linger_close_fd(fd);
	lingering->at[index].fd = -1;
	lingering->count--;
}

/* Reads what has come. Returns whether more may: no end, no error, not too much. */
static bool read_on(int fd, int *unread)
{
	char bytes[16384];
	ssize_t n;

	do {
		n = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0)
			*unread += (int)n;
	} while (n > 0 && *unread < LINGER_BYTES);
	return n < 0 && errno == EAGAIN;
}

void linger_start(struct prong *server, int fd, int64_t patience, int64_t now)
{
	struct lingering *lingering = &server->lingering;
	unsigned index = lingering->next;
	int unread = 0;

	/*
	 * Most clients have ended before their server: nothing is left to wait for.
	 * At the end of a stop there is nobody to wait.
	 */
	if (stop_is_now(server) || shutdown(fd, SHUT_WR) < 0 || !read_on(fd, &unread)) {
		linger_close_fd(fd);
		return;
	}
	end(server, index);
	if (server_watch(server, fd, EPOLLIN, WATCH_LINGER, index) < 0) {
		linger_close_fd(fd);
		return;
	}
	lingering->at[index].fd = fd;
	lingering->at[index].unread = unread;
	lingering->at[index].until = now + patience;
	lingering->next = (index + 1) % LINGER_MAX;
	lingering->count++;
}

void linger_event(struct prong *server, unsigned index)
{
	int fd = server->lingering.at[index].fd;

	if (fd >= 0 && !read_on(fd, &server->lingering.at[index].unread))
		end(server, index);
}

/* Places are used in turn, so the one after the newest is the oldest in use. */
static unsigned oldest(const struct lingering *lingering)
{
	unsigned index = lingering->next;

	while (lingering->at[index].fd < 0)
		index = (index + 1) % LINGER_MAX;
	return index;
}

void linger_expire(struct prong *server, int64_t now)
{
	struct lingering *lingering = &server->lingering;

	while (lingering->count > 0) {
		unsigned index = oldest(lingering);

		if (lingering->at[index].until > now)
			return;
		end(server, index);
	}
}

bool linger_cut_short(struct prong *server)
{
	if (server->lingering.count == 0)
		return false;
	end(server, oldest(&server->lingering));
	return true;
}

int64_t linger_deadline(const struct lingering *lingering)
{
	if (lingering->count == 0)
		return CLOCK_NEVER;
	return lingering->at[oldest(lingering)].until;
}

void linger_close(struct prong *server)
{
	for (unsigned i = 0; i < LINGER_MAX; i++)
		end(server, i);
}
