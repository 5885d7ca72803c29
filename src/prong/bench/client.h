/* A client: a slot that has one connection after the other, and where that has got to. */
#ifndef PRONG_BENCH_CLIENT_H
#define PRONG_BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

enum step {
	STEP_IDLE,    /* no connection */
	STEP_KNOCK,   /* the unix socket's queue was full: connect again soon */
	STEP_CONNECT, /* under way */
	STEP_TALK,    /* until received_bytes == goal_bytes */
	STEP_HELD,    /* open, nothing expected, no deadline */
	STEP_FINISH,  /* half-closed, all received, end of file expected */
	STEP_COUNT
};

struct client {
	int fd;
	enum step step;
	uint32_t interest; /* what epoll was told; 0: not registered */
	bool half_closed;
	uint64_t seed; /* no two connections of a run have the same */
	uint64_t sent_bytes, received_bytes; /* since the connection began */
	uint64_t goal_bytes;                 /* send and receive so many */
	uint64_t begun_ns;                   /* the connection's clock starts here */
	uint64_t round_ns;             /* this exchange began or was due; 0: none has */
	uint64_t deadline_ns;          /* 0: none */
	struct client *before, *after; /* in a chain; among the idle only after */
};

#endif
