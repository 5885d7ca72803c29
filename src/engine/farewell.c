#include "farewell.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "server.h"
#include "stop.h"

void farewells_open(struct farewells *farewells)
{
	for (unsigned i = 0; i < FAREWELLS_MAX; i++)
		farewells->at[i].fd = -1;
	farewells->next = 0;
	farewells->count = 0;
}

void farewell_close(int fd)
{
	struct linger none = { 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

static void end(struct prong *server, unsigned index)
{
	struct farewells *farewells = &server->farewells;
	int fd = farewells->at[index].fd;

	if (fd < 0)
		return;
	server_unwatch(server, fd);
	farewell_close(fd);
	farewells->at[index].fd = -1;
	farewells->count--;
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
	} while (n > 0 && *unread < FAREWELL_BYTES);
	return n < 0 && errno == EAGAIN;
}

void farewell_start(struct prong *server, int fd, int64_t patience, int64_t now)
{
	struct farewells *farewells = &server->farewells;
	unsigned index = farewells->next;
	int unread = 0;

	/*
	 * Most clients have ended before their server: nothing is left to wait for.
	 * At the end of a stop there is nobody to wait.
	 */
	if (stop_is_now(server) || shutdown(fd, SHUT_WR) < 0 || !read_on(fd, &unread)) {
		farewell_close(fd);
		return;
	}
	end(server, index);
	if (server_watch(server, fd, EPOLLIN, WATCH_FAREWELL, index) < 0) {
		farewell_close(fd);
		return;
	}
	farewells->at[index].fd = fd;
	farewells->at[index].unread = unread;
	farewells->at[index].until = now + patience;
	farewells->next = (index + 1) % FAREWELLS_MAX;
	farewells->count++;
}

void farewell_event(struct prong *server, unsigned index)
{
	int fd = server->farewells.at[index].fd;

	if (fd >= 0 && !read_on(fd, &server->farewells.at[index].unread))
		end(server, index);
}

/* Places are used in turn, so the one after the newest is the oldest in use. */
static unsigned oldest(const struct farewells *farewells)
{
	unsigned index = farewells->next;

	while (farewells->at[index].fd < 0)
		index = (index + 1) % FAREWELLS_MAX;
	return index;
}

void farewells_expire(struct prong *server, int64_t now)
{
	struct farewells *farewells = &server->farewells;

	while (farewells->count > 0) {
		unsigned index = oldest(farewells);

		if (farewells->at[index].until > now)
			return;
		end(server, index);
	}
}

bool farewell_cut_short(struct prong *server)
{
	if (server->farewells.count == 0)
		return false;
	end(server, oldest(&server->farewells));
	return true;
}

int64_t farewells_deadline(const struct farewells *farewells)
{
	if (farewells->count == 0)
		return CLOCK_NEVER;
	return farewells->at[oldest(farewells)].until;
}

void farewells_close(struct prong *server)
{
	for (unsigned i = 0; i < FAREWELLS_MAX; i++)
		end(server, i);
}
