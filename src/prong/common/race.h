/*
 * Connects to one of several addresses in parallel: RFC 8305, "Happy Eyeballs". An
 * address that does not answer delays the next one by a quarter of a second; one that
 * refuses does not delay it. The first connection that is established wins, and the
 * others are closed.
 */
#ifndef PRONG_COMMON_RACE_H
#define PRONG_COMMON_RACE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"

#define RACE_DELAY_MS 250 /* RFC 8305, Connection Attempt Delay */

/* An attempt begins (error is 0) or has failed (error is a negative errno). */
typedef void race_tell(void *owner, const struct address *to, int error);

struct race_rules {
	const struct address *source; /* bound to it before connecting; NULL: any */
	bool urgent_inline;           /* urgent bytes arrive in the stream (tcp(7)) */
	int interrupts;               /* of interrupt_open(); nothing is read from it */
	int64_t deadline_us;          /* for all attempts together; or CLOCK_NEVER */
	race_tell *tell;              /* NULL: not called */
	void *owner;                  /* for tell */
};

struct race_result {
	int fd;          /* the connected socket, the caller's; -1: none */
	unsigned winner; /* the index of its address */
	/* for each address a negative errno, or 0: not tried, or the winner */
	int errors[ADDRESS_LIST_MAX];
};

/*
 * Orders the addresses as RFC 8305 says: the two families take turns, beginning with
 * that of the first address; within a family the resolver's order is kept.
 */
void race_order(struct address_list *list);

/*
 * Connects to the addresses, at least one, in their order. The socket is non-blocking,
 * close-on-exec, and has TCP_NODELAY. Without a deadline the system decides when to
 * give an address up (tcp(7), tcp_syn_retries); for a UNIX socket with a full queue
 * (unix(7), EAGAIN) it never does.
 *
 * Returns 0; -ETIMEDOUT at the deadline; -EINTR if a signal is pending in interrupts;
 * or, if all have failed, the last error of socket(2), bind(2) or connect(2). After a
 * failure nothing is left open.
 */
int race_run(struct race_result *result, const struct address_list *to,
	     const struct race_rules *rules);

#endif
