/*
 * Connections whose program has ended while other processes still hold them, or may.
 * These are processes that the program left behind in its group or elsewhere, or a
 * process to which it passed the connection. shutdown(2) would cut them off, while
 * closing the supervisor's copy affects nothing else. So each connection is kept, and
 * still counts, until no other process holds it. It is then closed so that no reply is
 * cut off (linger.h).
 *
 * The kernel does not report when that is. The supervisor looks: soon at first, then
 * less and less often. One look covers all connections, and looks take at most a
 * twentieth of its time.
 */
#ifndef ENGINE_LEFTOVER_H
#define ENGINE_LEFTOVER_H

#include "session.h"

#define LEFTOVER_MAX 1024 /* beyond this, the oldest is closed */

struct users;
struct voices;

struct leftover {
	struct client client; /* id 0: the place is free */
	struct ending ending;
	siginfo_t info; /* of the program */
	ino_t inode;
	int64_t since_us, look_at_us;
	bool seen;       /* another process was seen to hold it */
	unsigned unseen; /* looks in a row that found no process holding it */
};

struct leftovers {
	struct sessions *sessions;
	struct leftover *at; /* LEFTOVER_MAX places; NULL: never used yet */
	unsigned next;       /* the place used longest ago; places are used in turn */
	unsigned count;
	int64_t look_us;            /* not before this time: looks are expensive */
	int64_t session_timeout_us; /* 0: none */
	bool draining;
	int probe;             /* holder.h; -1: not started */
	struct voices *voices; /* the owner of ending.voice; NULL: nothing is heard */
	struct users *users;   /* the owner of ending.uid */
};

void leftovers_open(struct leftovers *leftovers, struct sessions *sessions,
		    int64_t session_timeout_us);

/* In the supervisor. Returns 0 or a negative errno of epoll_create1(2). */
int leftovers_start(struct leftovers *leftovers);

void leftovers_close(struct leftovers *leftovers);

/*
 * Takes over a connection, with its descriptor, whose program has ended as *ending and
 * its info say. seen: another process is known to hold it. Returns false if there is no
 * memory; the connection then stays the caller's.
 */
bool leftovers_take(struct leftovers *leftovers, const struct client *client,
		    const struct ending *ending, bool seen, int64_t now_us);

/*
 * Finds out which of them are still held, and ends those that are not, or whose session
 * timeout has passed.
 */
void leftovers_look(struct leftovers *leftovers, int64_t now_us);

/* When it must look next; CLOCK_NEVER: never. */
int64_t leftovers_deadline(const struct leftovers *leftovers);

/*
 * Whether close(2) would do no harm if no other process had the connection: no input is
 * unread, and no output is in transit while more input may come (RFC 1122, 4.2.2.13);
 * or the connection is over anyway.
 */
bool leftover_close_is_harmless(int fd);

/* Whether input is unread. */
bool leftover_has_unread(int fd);

/*
 * Closes *fd, which must do no harm. Returns true if no other process holds the
 * connection; otherwise false, with a new copy in *fd.
 */
bool leftovers_try_close(struct leftovers *leftovers, int *fd);

/*
 * The server stops: closes its copy of each connection that another process holds, as
 * soon as that does no harm.
 */
void leftovers_drain(struct leftovers *leftovers, int64_t now_us);

/* Closes its copies of all connections at once; the processes that hold them go on. */
void leftovers_release(struct leftovers *leftovers, int64_t now_us);

#endif
