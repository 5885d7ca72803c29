/*
 * One connection of a client: open it, exchange bytes, hold it, half-close it, end.
 *
 * Whatever happens to a connection is counted exactly once: as ended or as one failure.
 */
#ifndef PRONG_BENCH_CONNECTION_H
#define PRONG_BENCH_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "run.h"

/*
 * Take an idle client (there must be one) and begin a connection, whose times count
 * from begun_ns. It may have failed and be idle again when this returns.
 */
void connection_open(struct run *run, uint64_t begun_ns);

/* Begin connections until limit of them are in other steps than idle and held. */
void connection_open_some(struct run *run, uint64_t limit);

/*
 * Send the plan's bytes once more and expect their echo; then mode->exchanged is called.
 * The round trip is timed from begun_ns.
 */
void connection_exchange(struct run *run, struct client *client, uint64_t begun_ns);

/* Expect nothing until the next connection_exchange() or connection_finish(). */
void connection_hold(struct run *run, struct client *client);

/* Send nothing more, if it is sending or about to; expect the echo of what was sent. */
void connection_cut(struct run *run, struct client *client);

/* Half-close, if that is not done, and wait for the server's end of file. */
void connection_finish(struct run *run, struct client *client);

/* A mode's ended: count a connection that went through to its end. */
void connection_count(struct run *run, struct client *client);

/* Count the failure (an enum failure) and close. The client is idle afterwards. */
void connection_fail(struct run *run, struct client *client, int failure);

/* As connection_fail(), the kind chosen by a positive errno; what: the call that failed. */
void connection_fail_errno(struct run *run, struct client *client, const char *what,
			   int err);

/* epoll reported events for the client. */
void connection_event(struct run *run, struct client *client, uint32_t events);

/* Connect again if the client is in STEP_KNOCK. Returns false if it still is. */
bool connection_knock(struct run *run, struct client *client);

#endif
