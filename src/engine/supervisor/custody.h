/*
 * The supervisor's copy of a program's connection, and when to close it. A program owns
 * its connection: its own close(2), shutdown(2), exit, SO_LINGER and passing-on mean
 * here what they mean under inetd. The copy only adds three things: a reply is not cut
 * off when input is unread at the end; a client's reset ends the program; and a
 * connection that other processes still hold keeps counting. See prongd(8), CONNECTIONS
 * OF PROGRAMS.
 */
#ifndef ENGINE_CUSTODY_H
#define ENGINE_CUSTODY_H

#include "leftover.h"
#include "process.h"

struct custody {
	struct processes *processes;
	struct sessions *sessions;
	struct leftovers leftovers;
	bool monitored;      /* a monitor stands between: the program is its child */
	bool ignores_hangup; /* a reset does not end a program */
	int64_t look_us;     /* when to look at all sessions next; CLOCK_NEVER */
};

void custody_open(struct custody *custody, struct processes *processes,
		  struct sessions *sessions);

/* In the supervisor. Returns 0, or a negative errno with a sentence in why. */
int custody_start(struct custody *custody, bool monitored, bool ignores_hangup,
		  struct why *why);

void custody_close(struct custody *custody);

/*
 * Before the program of process gets client: watches its connection, since a program
 * that is not watched would go on after a reset. Returns 0 or a negative errno.
 */
int custody_watch(struct custody *custody, struct process *process,
		  const struct client *client);

/* A program has the connection of process->session now. */
void custody_begin(struct custody *custody, struct process *process, int64_t now_us);

/*
 * EPOLLERR or EPOLLHUP was reported for its connection. The program itself notices a
 * client that closes in order; a reset ends the program once it has read what came
 * before.
 */
void custody_hear(struct custody *custody, struct process *process, uint32_t events,
		  int64_t now_us);

/* Something must be looked at by then. */
void custody_plan(struct custody *custody, int64_t at_us);

/* Looks at the sessions that are due, and plans the next look. */
void custody_tick(struct custody *custody, int64_t heard_us);
int64_t custody_deadline(const struct custody *custody);

/*
 * How its session ended: the reason for which it was ended outweighs how the program
 * reacted.
 */
enum reason custody_judge(const struct process *process, const siginfo_t *info,
			  bool reset);

/*
 * The program has ended as *ending says, whose info is not NULL. Returns whether its
 * session is over; if not, the session ends later, as a leftover.
 */
bool custody_end(struct custody *custody, struct process *process,
		 const struct ending *ending, int64_t now_us);

#endif
