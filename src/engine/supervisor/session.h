/*
 * Connections, from accept to their end: each is counted once when it comes and once when
 * it ends, under one reason, and said so in the log. The connection itself is served by a
 * process; process.h.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/record/client.h"
#include "engine/record/settings.h"
#include "report.h"

struct lingering;
struct policy;
/* One that a process serves. */
struct session {
	struct client client; /* id 0: there is none */
	/* Of a program's; programs.h, custody.h: */
	int64_t idle_at_us;  /* it may have been idle too long by then */
	int64_t look_at_us;  /* when to look whether the program still has it */
	int64_t reset_at_us; /* when the client reset it; 0: it did not */
	bool ended;          /* the client had ended its sending when it was let go */
	unsigned unseen; /* looks in a row at which no process was seen to have it */
};

struct sessions {
	const struct settings *settings;
	struct policy *policy;
	struct lingering *lingering;
	struct report *report;
	struct totals totals;
};

/* A client was accepted: gives it its number. */
void sessions_accepted(struct sessions *sessions, struct client *client);

/* The first rule that refuses the client; REASON_NONE. Counts nothing; policy.h. */
enum reason sessions_judge(const struct sessions *sessions, const struct client *client,
			   int64_t now_us);

/* The client may in: it counts towards the limits of its source from now on. */
void sessions_admit(struct sessions *sessions, struct client *client, int64_t now_us);

/* How many connections the client's source has open, this one included. */
unsigned sessions_of_source(const struct sessions *sessions,
			    const struct client *client);

/*
 * Refuses a client that was accepted: tells it as settings say, and closes its descriptor.
 * at_once: no time is given to it, since descriptors are short.
 */
void sessions_refuse(struct sessions *sessions, struct client *client,
		     enum reason reason, bool at_once, int64_t now_us);

/* A connection has ended before a process served it; its descriptor is not touched. */
void sessions_drop(struct sessions *sessions, struct client *client, enum reason reason,
		   int64_t now_us);

/* A connection that was served has ended; client.id is 0 afterwards. */
void sessions_end(struct sessions *sessions, struct client *client,
		  const struct ending *ending, int64_t now_us);

/* Closes the descriptor of a connection so that the client loses no reply; linger.h. */
void sessions_let_go(struct sessions *sessions, int fd, int64_t now_us);

/* Gives up a descriptor that only lingers. Returns false if there is none. */
bool sessions_make_room(struct sessions *sessions);

#endif
