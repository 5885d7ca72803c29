#include "loop.h"

#include <sys/epoll.h>

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "clock.h"

#define EVENTS_AT_ONCE 64
#define REMOVALS_TRIED 3
#define STALL_MS       5

int loop_open(struct loop *loop)
{
	*loop = (struct loop){
		.fd = epoll_create1(EPOLL_CLOEXEC),
		.woke_us = clock_now_us(),
	};
	return loop->fd < 0 ? -errno : 0;
}

void loop_close(struct loop *loop)
{
	if (loop->fd >= 0)
		close(loop->fd);
	loop->fd = -1;
}

int loop_add(struct loop *loop, int fd, uint32_t events, const struct watch *watch)
{
	struct epoll_event event = { .events = events, .data.ptr = (void *)watch };

	if (epoll_ctl(loop->fd, EPOLL_CTL_ADD, fd, &event) < 0)
		return -errno;
	loop->watched++;
	return 0;
}

void loop_remove(struct loop *loop, int fd)
{
	int err = epoll_ctl(loop->fd, EPOLL_CTL_DEL, fd, NULL);

	/*
	 * A registration that stays would report events as long as a child has a copy.
	 */
	for (int i = 1; i < REMOVALS_TRIED && err < 0 && errno != ENOENT; i++)
		err = epoll_ctl(loop->fd, EPOLL_CTL_DEL, fd, NULL);
	if (err == 0)
		loop->watched--;
}

void loop_stall(struct loop *loop)
{
	loop->stalled = true;
}

/*
 * epoll returns ready descriptors in turn. So everything that was ready when a look
 * began has been reported once a look finds fewer than it could take, or after as many
 * full looks in a row as there are descriptors.
 */
static void note_heard(struct loop *loop, int events, int64_t began_us)
{
	if (loop->full_looks == 0)
		loop->first_full_us = began_us;
	if (events == EVENTS_AT_ONCE &&
	    ++loop->full_looks < loop->watched / EVENTS_AT_ONCE + 1)
		return;
	loop->heard_us = loop->first_full_us;
	loop->full_looks = 0;
}

int loop_wait(struct loop *loop, int64_t deadline_us)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int64_t now_us;
	int n;

	if (loop->stalled)
		poll(NULL, 0, STALL_MS);
	loop->stalled = false;
	now_us = clock_now_us();
	n = epoll_wait(loop->fd, events, EVENTS_AT_ONCE,
		       clock_timeout_ms(deadline_us, now_us));
	loop->woke_us = clock_now_us();
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	note_heard(loop, n, now_us);
	loop->quiet = n == 0;
	for (int i = 0; i < n; i++) {
		const struct watch *watch = events[i].data.ptr;

		watch->ready(watch->owner, watch->index, events[i].events,
			     loop->woke_us);
	}
	return 0;
}
