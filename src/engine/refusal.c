#include "refusal.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "server.h"

#define UNREAD_MOST 65536 /* bytes read from a refused client before it is closed */

void refusals_open(struct refusals *refusals)
{
	for (unsigned i = 0; i < REFUSALS_MAX; i++)
		refusals->at[i].fd = -1;
	refusals->next = 0;
	refusals->count = 0;
}

static void end(struct prong *server, unsigned index)
{
	struct refusals *refusals = &server->refusals;
	int fd = refusals->at[index].fd;

	if (fd < 0)
		return;
	server_unwatch(server, fd);
	close(fd);
	refusals->at[index].fd = -1;
	refusals->count--;
}

static void say(int fd, const char *text)
{
	/* A fresh connection's send buffer holds any text that is sensible here. */
	if (text != NULL)
		send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
	shutdown(fd, SHUT_WR);
}

void refusal_now(int fd, const char *text)
{
	say(fd, text);
	close(fd);
}

void refusal_start(struct prong *server, int fd, const char *text, int64_t now)
{
	struct refusals *refusals = &server->refusals;
	unsigned index = refusals->next;

	if (text == NULL) {
		close(fd);
		return;
	}
	say(fd, text);
	end(server, index);
	if (server_watch(server, fd, EPOLLIN, WATCH_REFUSAL, index) < 0) {
		close(fd);
		return;
	}
	refusals->at[index].fd = fd;
	refusals->at[index].until = now + REFUSAL_PATIENCE;
	refusals->next = (index + 1) % REFUSALS_MAX;
	refusals->count++;
}

void refusal_event(struct prong *server, unsigned index)
{
	int fd = server->refusals.at[index].fd;
	char unread[4096];
	ssize_t n = 1;

	for (int total = 0; fd >= 0 && n > 0 && total < UNREAD_MOST; total += (int)n)
		n = recv(fd, unread, sizeof(unread), MSG_DONTWAIT);
	if (n >= 0 || errno != EAGAIN)
		end(server, index);
}

/* Places are used in turn, so the one after the newest is the oldest in use. */
static unsigned oldest(const struct refusals *refusals)
{
	unsigned index = refusals->next;

	while (refusals->at[index].fd < 0)
		index = (index + 1) % REFUSALS_MAX;
	return index;
}

void refusals_expire(struct prong *server, int64_t now)
{
	struct refusals *refusals = &server->refusals;

	while (refusals->count > 0) {
		unsigned index = oldest(refusals);

		if (refusals->at[index].until > now)
			return;
		end(server, index);
	}
}

int64_t refusals_deadline(const struct refusals *refusals)
{
	if (refusals->count == 0)
		return CLOCK_NEVER;
	return refusals->at[oldest(refusals)].until;
}

void refusals_close(struct prong *server)
{
	for (unsigned i = 0; i < REFUSALS_MAX; i++)
		end(server, i);
}
