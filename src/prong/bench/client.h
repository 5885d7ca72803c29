/*
 * One client connection: open it, exchange bytes, hold it, half-close it, end.
 *
 * A client is a slot which serves one connection after the other. Whatever happens
 * to a connection is counted exactly once, in client.c: as ended or as one failure.
 */
#ifndef PRONG_BENCH_CLIENT_H
#define PRONG_BENCH_CLIENT_H

#include <stdbool.h>
#include <stdint.h>

struct run;

enum step {
	STEP_IDLE,    /* no connection */
	STEP_KNOCK,   /* the unix socket's queue was full: connect again soon */
	STEP_CONNECT, /* under way */
	STEP_TALK,    /* until received == goal */
	STEP_HELD,    /* open, nothing expected, no deadline */
	STEP_FINISH,  /* half-closed, all received, end of file expected */
	STEP_COUNT
};

struct client {
	int fd;
	enum step step;
	uint32_t interest; /* what epoll was told; 0: not registered */
	bool half_closed;
	uint64_t seed;           /* no two connections of a run have the same */
	uint64_t sent, received; /* bytes since the connection began */
	uint64_t goal;           /* send and receive so many */
	uint64_t begun;          /* ns: the connection's clock starts here */
	uint64_t round;          /* ns: this exchange began or was due; 0: none has */
	uint64_t deadline;       /* ns */
	struct client *before, *after; /* in a chain; among the idle only after */
};

/*
 * Take an idle client (there must be one) and begin a connection, whose times count
 * from begun. It may have failed and be idle again when this returns.
 */
void client_open(struct run *run, uint64_t begun);

/*
 * Send bytes more and expect their echo; then mode->exchanged is called. The round trip
 * is timed from begun.
 */
void client_exchange(struct run *run, struct client *client, uint64_t bytes,
		     uint64_t begun);

/* Expect nothing until the next client_exchange() or client_finish(). */
void client_hold(struct run *run, struct client *client);

/* Send nothing more, if it is sending or about to; expect the echo of what was sent. */
void client_cut(struct run *run, struct client *client);

/* Half-close, if that is not done, and wait for the server's end of file. */
void client_finish(struct run *run, struct client *client);

/* Count the failure (an enum failure) and close. The client is idle afterwards. */
void client_fail(struct run *run, struct client *client, int failure);

/* As client_fail(), the kind chosen by a positive errno; what: the call that failed. */
void client_fail_errno(struct run *run, struct client *client, const char *what,
		       int err);

/* epoll reported events for the client. */
void client_event(struct run *run, struct client *client, uint32_t events);

/* Connect again if the client is in STEP_KNOCK. Returns false if it still is. */
bool client_knock(struct run *run, struct client *client);

#endif
