/*
 * The event loop: descriptors, and what to call when one of them is ready (epoll(7)).
 * It knows nothing of what it watches.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Called with the EPOLL... events that occurred, and the time at which the loop woke
 * up. While the loop works through what it found, a descriptor that was just removed
 * may still be reported once, so the owner checks its own state first.
 */
typedef void loop_ready(void *owner, unsigned index, uint32_t events, int64_t now_us);

/* Belongs to its owner, and must not move while the descriptor is watched. */
struct watch {
	loop_ready *ready;
	void *owner;
	unsigned index; /* tells the owner which of its descriptors this is */
};

struct loop {
	int fd;           /* of epoll(7); -1: not open */
	int64_t heard_us; /* all that had happened by then has been reported */
	int64_t woke_us;  /* when the last wait ended, or the loop was opened */
	bool quiet;       /* the last wait found nothing */
	unsigned watched; /* descriptors */
	bool stalled;     /* the next wait is delayed; loop_stall() */

	int64_t first_full_us; /* when the first of the full looks in a row began */
	unsigned full_looks;   /* full looks in a row; some events may be unreported */
};

/* Returns 0 or a negative errno of epoll_create1(2); fd is then -1. */
int loop_open(struct loop *loop);
void loop_close(struct loop *loop);

/*
 * Watches fd for events (EPOLLHUP and EPOLLERR are always reported). Returns 0 or a
 * negative errno of epoll_ctl(2).
 */
int loop_add(struct loop *loop, int fd, uint32_t events, const struct watch *watch);

/*
 * Call it before every close(2): a copy in a child would keep the registration alive.
 */
void loop_remove(struct loop *loop, int fd);

/*
 * For an owner that cannot act on an event and would be told of it again at once: the
 * next wait begins some milliseconds later, so that the loop does not spin.
 */
void loop_stall(struct loop *loop);

/*
 * Waits until something happens, or until deadline_us (clock_now_us(); CLOCK_NEVER),
 * and tells the owners. This is the one place that blocks. Returns 0, also when a
 * signal interrupted it, or a negative errno of epoll_wait(2).
 */
int loop_wait(struct loop *loop, int64_t deadline_us);

#endif
