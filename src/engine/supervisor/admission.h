/*
 * Who comes in, and when: accepting, the limit, pauses after failures, refusing.
 * Owns the one connection that is accepted but has no process yet.
 */
#ifndef ENGINE_ADMISSION_H
#define ENGINE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/record/reason.h"

struct client;
struct prong;

/* Accepts waiting clients and places them, a batch at most. */
void admit_waiting(struct prong *server);

/*
 * Puts the listeners into the epoll set or takes them out, as the state of things
 * asks for: a listener that cannot be served is not polled, so nothing spins.
 */
void admission_settle(struct prong *server);

/* When admission next has something to do by itself; CLOCK_NEVER. */
int64_t admission_deadline(const struct prong *server);

/* Takes no new clients; those in the kernel's queue are still served. */
void admission_drain(struct prong *server);

/* Ends admission now: listeners closed, the held client cut off. */
void admission_close(struct prong *server);

/* The one place where a connection that was accepted is counted as over. */
void admission_ended(struct prong *server, struct client *client, enum reason reason,
		     int64_t now);

/*
 * Errors of the client that was next, or of its network: accept(2) asks to treat
 * them like EAGAIN and go on. Every other failure is ours and pauses accepting.
 */
bool admission_is_clients_error(int error);

/* Whether no client can come any more. */
bool admission_is_over(const struct prong *server);

#endif
