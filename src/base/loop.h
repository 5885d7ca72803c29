/*
 * The event loop: descriptors, and what to call when one of them is ready (epoll(7)).
 * It knows nothing of what it watches.
 */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Called with the EPOLL... events that are there, and the time at which the loop woke up.
 * A descriptor that was removed while the loop works through what it found may be told of
 * once more: the owner looks at its own state first.
 */
typedef void loop_ready(void *owner, unsigned index, uint32_t events, int64_t now_us);

/* Lies with its owner, at the same place as long as the descriptor is watched. */
struct watch {
	loop_ready *ready;
	void *owner;
	unsigned index; /* for the owner: which of its descriptors */
};

struct loop {
	int fd;           /* of epoll(7); -1: not open */
	int64_t heard_us; /* all that had happened by then has been told */
	int64_t woke_us;  /* the last wait ended, or the loop was opened */
	bool quiet;       /* the last wait found nothing */
	unsigned watched; /* descriptors */
	bool stalled;     /* the next wait is put off; loop_stall() */

	int64_t first_full_us; /* when the first of the full looks in a row began */
	unsigned full_looks;   /* in a row, which may have left something untold */
};

/* Returns 0 or a negative errno of epoll_create1(2), after which fd is -1. */
int loop_open(struct loop *loop);
void loop_close(struct loop *loop);

/*
 * Watches fd for events (EPOLLHUP and EPOLLERR come in any case). Returns 0 or a negative
 * errno of epoll_ctl(2).
 */
int loop_add(struct loop *loop, int fd, uint32_t events, const struct watch *watch);

/* Before every close(2): a copy in a child would keep the registration alive. */
void loop_remove(struct loop *loop, int fd);

/*
 * An owner can do nothing with what it was told of, and would be told again at once: the
 * next wait begins some milliseconds later, so that nothing spins.
 */
void loop_stall(struct loop *loop);

/*
 * Waits until something happens, or until deadline_us (clock_now_us(); CLOCK_NEVER), and
 * tells the owners: the one place that blocks. Returns 0, also when a signal
 * interrupted it, or a negative errno of epoll_wait(2).
 */
int loop_wait(struct loop *loop, int64_t deadline_us);

#endif
