#include "linger.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <errno.h>
#include <unistd.h>

#include "base/clock.h"

/*
 * Reads what has arrived. Returns whether more may come: no end, no error, not too
 * much.
 */
static bool read_on(struct lingering *lingering, int fd, size_t *unread_bytes)
{
	ssize_t n;

	do {
		/* TCP then discards without copying (tcp(7)). */
		n = recv(fd, lingering->unread, sizeof(lingering->unread),
			 MSG_DONTWAIT | MSG_TRUNC);
		if (n > 0)
			*unread_bytes += (size_t)n;
	} while (n > 0 && *unread_bytes < lingering->most_bytes);
	return n < 0 && errno == EAGAIN;
}

void linger_close_fd(int fd)
{
	struct linger none = { 0 };

	setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

static void end(struct lingering *lingering, unsigned index)
{
	int fd = lingering->at[index].fd;

	if (fd < 0)
		return;
	loop_remove(lingering->loop, fd);
	linger_close_fd(fd);
	lingering->at[index].fd = -1;
	lingering->count--;
}

/* The client has sent something, or is gone. */
static void on_event(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct lingering *lingering = owner;
	int fd = lingering->at[index].fd;

	(void)events, (void)now_us;
	if (fd >= 0 && !read_on(lingering, fd, &lingering->at[index].unread_bytes))
		end(lingering, index);
}

void linger_open(struct lingering *lingering, struct loop *loop, size_t most_bytes)
{
	lingering->loop = loop;
	lingering->most_bytes = most_bytes;
	for (unsigned i = 0; i < LINGER_MAX; i++) {
		lingering->at[i].fd = -1;
		lingering->at[i].watch = (struct watch){ on_event, lingering, i };
	}
	lingering->next = 0;
	lingering->count = lingering->pending = 0;
	lingering->over = false;
}

void linger_start(struct lingering *lingering, int fd, int64_t patience_us,
		  int64_t now_us)
{
	unsigned index = lingering->next;
	size_t unread_bytes = 0;

	/* Most clients end before their server; then there is nothing to wait for. */
	if (lingering->over || shutdown(fd, SHUT_WR) < 0 ||
	    !read_on(lingering, fd, &unread_bytes)) {
		linger_close_fd(fd);
		return;
	}
	end(lingering, index);
	/*
	 * If it cannot be watched it is no longer read from, but a reply still has its
	 * time.
	 */
	loop_add(lingering->loop, fd, EPOLLIN, &lingering->at[index].watch);
	lingering->at[index].fd = fd;
	lingering->at[index].unread_bytes = unread_bytes;
	lingering->at[index].until_us = now_us + patience_us;
	lingering->next = (index + 1) % LINGER_MAX;
	lingering->count++;
}

/* Places are used in turn, so the one after the newest is the oldest in use. */
static unsigned oldest(const struct lingering *lingering)
{
	unsigned index = lingering->next;

	while (lingering->at[index].fd < 0)
		index = (index + 1) % LINGER_MAX;
	return index;
}

int64_t linger_deadline(const struct lingering *lingering)
{
	if (lingering->count == 0)
		return CLOCK_NEVER;
	return lingering->at[oldest(lingering)].until_us;
}

void linger_expire(struct lingering *lingering, int64_t now_us)
{
	while (lingering->count > 0 && linger_deadline(lingering) <= now_us)
		end(lingering, oldest(lingering));
}

bool linger_cut_short(struct lingering *lingering)
{
	if (lingering->count == 0)
		return false;
	end(lingering, oldest(lingering));
	return true;
}

void linger_finish(struct lingering *lingering)
{
	for (unsigned i = 0; i < LINGER_MAX; i++)
		end(lingering, i);
	lingering->over = true;
}
