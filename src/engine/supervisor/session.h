/*
 * Connections that programs serve. A program knows nothing of prong, so the
 * supervisor keeps a descriptor of its own of each connection, and does from there
 * what a worker does for a handler: notices that the client is gone, keeps the idle
 * deadline, counts bytes, and ends the connection so that no reply is cut.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include <signal.h>
#include <stdint.h>

#include "engine/record/reason.h"

struct client;
struct prong;
struct process;

/*
 * Gives client to a program that waits for one, or else starts it for client. client's descriptor is the
 * session's from then on, also when the program could not be started (the client is
 * then told by the end of its connection, the administrator by the log).
 * Returns 0; -EAGAIN if every slot is taken or forking waits; or another errno of
 * vfork(2), after which client is untouched.
 */
int session_start(struct prong *server, struct client *client, int64_t now);

/*
 * Starts a program that waits, warm, for its connection. Returns 0 or a negative errno;
 * the next try then waits.
 */
int session_start_spare(struct prong *server, int64_t now);

/* An epoll event came for slot index: the client is gone for good. */
void session_hangup(struct prong *server, unsigned index);

/* The program ended as info tells. Lets go of the connection; returns the reason. */
enum reason session_end(struct prong *server, struct process *process,
			const siginfo_t *info, int64_t now);

/* After a child ended that was no session's, or was killed: ends orphans, if asked to. */
void sessions_end_orphans(struct prong *server);

/* Ends those on which no byte has moved for settings.idle_timeout. */
void sessions_check_idle(struct prong *server, int64_t now);

/* When that is next to be done; CLOCK_NEVER. */
int64_t sessions_deadline(const struct prong *server);

#endif
