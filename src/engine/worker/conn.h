/*
 * One connection, in the worker that serves it: reads and writes with counters and
 * timeouts, and ends without cutting off a reply. Defines what prong.h leaves opaque.
 */
#ifndef ENGINE_CONN_H
#define ENGINE_CONN_H

#include <stdbool.h>

#include "base/address.h"
#include "prong.h"
#include "engine/record/reason.h"
#include "engine/record/scoreboard.h"

struct prong_conn {
	int fd;
	uint64_t id;
	struct address peer;
	struct score_row *row;
	int64_t idle_timeout_us; /* 0: none */
	int64_t deadline_us; /* of the session, by clock_now_us(); CLOCK_NEVER: none */
	int64_t linger_us;
	size_t linger_bytes;
	bool ended;            /* the client has ended its sending */
	bool lost;             /* the client is gone, or our side has failed */
	enum reason timed_out; /* the timeout that has passed; REASON_NONE: none */
	bool borrowed;         /* the handler has used the descriptor */
	unsigned receives;     /* calls of prong_recv(), up to TALKATIVE */
};

/*
 * Ends the connection after its handler returned result, and closes its descriptor.
 * What was sent still arrives: a close with input unread would make the kernel send RST
 * (RFC 1122, 4.2.2.13), and the client would lose the reply. So it half-closes, reads
 * on for at most conn->linger_us and conn->linger_bytes, and closes.
 */
enum reason conn_finish(struct prong_conn *conn, int result);

#endif
