/*
 * A client: a slot that has one connection after the other, and the state of the
 * present one.
 */
#ifndef PRONG_BENCH_CLIENT_H
#define PRONG_BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

enum step {
	STEP_IDLE,    /* no connection */
	STEP_KNOCK,   /* the queue of the UNIX socket was full: connect again soon */
	STEP_CONNECT, /* connecting */
	STEP_TALK,    /* sending and receiving, until received_bytes == goal_bytes */
	STEP_HELD,    /* open, nothing expected, no deadline */
	STEP_FINISH,  /* half-closed and all received: waiting for end of file */
	STEP_COUNT
};

struct client {
	int fd;
	enum step step;
	uint32_t interest; /* the events registered with epoll; 0: none */
	bool half_closed;
	uint64_t seed; /* different for every connection of a run */
	uint64_t sent_bytes, received_bytes; /* since the connection began */
	uint64_t goal_bytes;                 /* bytes to send, and to receive */
	uint64_t begun_ns;                   /* the connection's clock starts here */
	uint64_t round_ns;    /* start of this exchange, or when due; 0: none */
	uint64_t deadline_ns; /* 0: none */
	struct client *before, *after; /* in a chain; idle clients use only after */
};

#endif
