/*
 * Connections whose program has ended while other processes still hold them, or may: what
 * it has left behind in its group or elsewhere, or a process that it has passed the
 * connection to. shutdown(2) would cut them off; close(2) of the supervisor's copy acts on
 * nothing but that copy. So each is kept, and still counts, until no other process holds
 * it any more, and is then closed so that no reply is cut (linger.h).
 *
 * Nothing in the kernel tells when that is: the supervisor looks, soon at first and then
 * ever more seldom. One look answers for all, and looks take a twentieth of its time at
 * most.
 */
#ifndef ENGINE_LEFTOVER_H
#define ENGINE_LEFTOVER_H

#include "session.h"

#define LEFTOVER_MAX 1024 /* where there are more, the oldest is closed */

struct users;
struct voices;

struct leftover {
	struct client client; /* id 0: the place is free */
	struct ending ending;
	siginfo_t info; /* of the program */
	ino_t inode;
	int64_t since_us, look_at_us;
	bool seen;       /* another process was seen to hold it */
	unsigned unseen; /* looks in a row at which no process was seen to hold it */
};

struct leftovers {
	struct sessions *sessions;
	struct leftover *at; /* LEFTOVER_MAX; NULL: there never was one */
	unsigned next;       /* the place used longest ago; places are used in turn */
	unsigned count;
	int64_t look_us;            /* not before: looks cost time */
	int64_t session_timeout_us; /* 0: none */
	bool draining;
	int probe;             /* holder.h; -1: not started */
	struct voices *voices; /* where ending.voice is from; NULL: nothing is heard */
	struct users *users;   /* whose ending.uid is kept */
};

void leftovers_open(struct leftovers *leftovers, struct sessions *sessions,
		    int64_t session_timeout_us);

/* In the supervisor. Returns 0 or a negative errno of epoll_create1(2). */
int leftovers_start(struct leftovers *leftovers);

void leftovers_close(struct leftovers *leftovers);

/*
 * Takes over a connection, with its descriptor, whose program has ended as *ending and its
 * info tell. seen: another process is known to hold it. Returns false if there is no memory; then it is still the caller's.
 */
bool leftovers_take(struct leftovers *leftovers, const struct client *client,
		    const struct ending *ending, bool seen, int64_t now_us);

/*
 * Looks which of them are still held, and ends those that are not, or whose session
 * timeout is over.
 */
void leftovers_look(struct leftovers *leftovers, int64_t now_us);

/* When that is next to be done; CLOCK_NEVER. */
int64_t leftovers_deadline(const struct leftovers *leftovers);

/*
 * Whether close(2) would do no harm if no other process had it: no input is unread, and no
 * output on its way while more input may come (RFC 1122, 4.2.2.13); or it is over anyway.
 */
bool leftover_close_is_harmless(int fd);

/* Whether input is unread. */
bool leftover_has_unread(int fd);

/*
 * Closes *fd, which must do no harm. Returns true if that is the end of it; or false, with
 * a new copy in *fd, if another process holds the connection.
 */
bool leftovers_try_close(struct leftovers *leftovers, int *fd);

/* The server stops: lets go of what other processes hold, once that does no harm. */
void leftovers_drain(struct leftovers *leftovers, int64_t now_us);

/* Lets go of all at once; the processes that hold them go on. */
void leftovers_release(struct leftovers *leftovers, int64_t now_us);

#endif
