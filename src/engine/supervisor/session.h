/*
 * Connections, from accept to their end: each is counted once when it comes and once
 * when it ends, under one reason, and logged. A process serves the connection;
 * process.h.
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
/* A connection that a process serves. */
struct session {
	struct client client; /* id 0: none */
	/* For programs; programs.h, custody.h: */
	int64_t idle_at_us;  /* when it may have been idle too long */
	int64_t look_at_us;  /* when to check that the program still has it */
	int64_t reset_at_us; /* when the client reset it; 0: it did not */
	bool ended;          /* the client had ended its sending before the release */
	unsigned unseen;     /* looks in a row that found no process holding it */
};

struct sessions {
	const struct settings *settings;
	struct policy *policy;
	struct lingering *lingering;
	struct report *report;
	struct totals totals;
};

/* A client was accepted: numbers and counts it. */
void sessions_accepted(struct sessions *sessions, struct client *client);

/* The first rule that refuses the client; or REASON_NONE. Counts nothing; policy.h. */
enum reason sessions_judge(const struct sessions *sessions, const struct client *client,
			   int64_t now_us);

/* The client is admitted: from now on it counts towards the limits of its source. */
void sessions_admit(struct sessions *sessions, struct client *client, int64_t now_us);

/* How many connections the client's source has open, this one included. */
unsigned sessions_of_source(const struct sessions *sessions,
			    const struct client *client);

/*
 * Refuses a client that was accepted: answers as the settings say, and closes its
 * descriptor. at_once: closes without giving it time, since descriptors are short.
 */
void sessions_refuse(struct sessions *sessions, struct client *client,
		     enum reason reason, bool at_once, int64_t now_us);

/* A connection has ended before a process served it; its descriptor is untouched. */
void sessions_drop(struct sessions *sessions, struct client *client, enum reason reason,
		   int64_t now_us);

/* A connection that was served has ended; client.id is 0 afterwards. */
void sessions_end(struct sessions *sessions, struct client *client,
		  const struct ending *ending, int64_t now_us);

/* Closes the descriptor of a connection so that the client loses no reply; linger.h. */
void sessions_let_go(struct sessions *sessions, int fd, int64_t now_us);

/*
 * Closes a connection that only lingers, for its descriptor. Returns false if there is
 * none.
 */
bool sessions_make_room(struct sessions *sessions);

#endif
