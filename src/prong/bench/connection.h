/*
 * One connection of a client: opens it, exchanges bytes, holds it, half-closes it, ends
 * it.
 *
 * Each connection is counted exactly once: as completed, or as one failure.
 */
#ifndef PRONG_BENCH_CONNECTION_H
#define PRONG_BENCH_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "client.h"
#include "run.h"

/*
 * Takes an idle client (there must be one) and begins a connection. Its times count
 * from begun_ns. It may have failed and be idle again when this returns.
 */
void connection_open(struct run *run, uint64_t begun_ns);

/* Begins connections until limit of them are in steps other than idle and held. */
void connection_open_some(struct run *run, uint64_t limit);

/*
 * Sends the plan's bytes once more and expects their echo; then calls mode->exchanged.
 * The round trip is timed from begun_ns.
 */
void connection_exchange(struct run *run, struct client *client, uint64_t begun_ns);

/* Expects nothing until the next connection_exchange() or connection_finish(). */
void connection_hold(struct run *run, struct client *client);

/* Stops sending, if it is sending or about to; expects the echo of what was sent. */
void connection_cut(struct run *run, struct client *client);

/* Half-closes, if that is not done yet, and waits for the server's end of file. */
void connection_finish(struct run *run, struct client *client);

/* For a mode's ended(): counts a connection that was completed. */
void connection_count(struct run *run, struct client *client);

/* Counts the failure (an enum failure) and closes. The client is idle afterwards. */
void connection_fail(struct run *run, struct client *client, int failure);

/*
 * Like connection_fail(), with the kind chosen by a positive errno; what is the call
 * that failed.
 */
void connection_fail_errno(struct run *run, struct client *client, const char *what,
			   int err);

/* epoll reported events for the client. */
void connection_event(struct run *run, struct client *client, uint32_t events);

/* Connects again if the client is in STEP_KNOCK. Returns false if it still is. */
bool connection_knock(struct run *run, struct client *client);

#endif
