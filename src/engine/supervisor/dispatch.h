/*
 * Which process gets a connection: a spare that waits, or a child forked for it.
 * Owns forking, the hand-over, and the number of spares (but see autoscale.h).
 */
#ifndef ENGINE_DISPATCH_H
#define ENGINE_DISPATCH_H

#include <stdbool.h>
#include <stdint.h>

#define SURPLUS_PATIENCE 10000000 /* a process too many is kept so long; microseconds */

struct client;
struct prong;
struct process;

/*
 * Gives client to a process; its descriptor is then closed here.
 * Returns 0; -EAGAIN if every slot is taken or forking waits after a failure; or
 * another errno of fork(2) or socketpair(2). After a failure client is untouched.
 */
int dispatch_place(struct prong *server, struct client *client, int64_t now);

/* Whether a client could get a process now, as far as slots decide it. */
bool dispatch_has_room(const struct prong *server);

/* Forks spares that are missing: a few, so that clients need not wait long. */
void start_missing_spares(struct prong *server);

/* Ends spares that have been too many for a while, and all when no more is to come. */
void stop_surplus_spares(struct prong *server);

/* When one of these two has next something to do; CLOCK_NEVER: after an event. */
int64_t dispatch_deadline(const struct prong *server);

/* A process that was to stand ready has left: nobody is given to it any more. */
void dispatch_lost_spare(struct prong *server, struct process *process, int64_t now);

/* Closes the supervisor's end: an idle worker leaves, a busy one will, afterwards. */
void dispatch_drop_channel(struct prong *server, struct process *process);

#endif
