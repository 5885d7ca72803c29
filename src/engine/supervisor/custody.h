/*
 * The supervisor's copy of a program's connection, and when to let go of it. A program
 * owns its connection: what its own close(2), shutdown(2), exit, SO_LINGER and handing-on
 * mean under inetd, they mean here. The copy only adds: a reply is not cut when input is
 * unread at the end, a client's reset ends the program, and what a program leaves behind
 * still counts. See prongd(8), CONNECTIONS OF PROGRAMS.
 */
#ifndef ENGINE_CUSTODY_H
#define ENGINE_CUSTODY_H

#include "leftover.h"
#include "process.h"

struct custody {
	struct processes *processes;
	struct sessions *sessions;
	struct leftovers leftovers;
	bool monitored; /* a process of ours stands between: the program is its child */
	bool ignores_hangup; /* a reset ends no program */
	int64_t look_us;     /* when to look at all sessions; CLOCK_NEVER */
};

void custody_open(struct custody *custody, struct processes *processes,
		  struct sessions *sessions);

/* In the supervisor. Returns 0, or a negative errno with why filled. */
int custody_start(struct custody *custody, bool monitored, bool ignores_hangup,
		  struct why *why);

void custody_close(struct custody *custody);

/*
 * The program of process is to have client: watches the connection before, since a program
 * that is not watched would go on after a reset. Returns 0 or a negative errno.
 */
int custody_watch(struct custody *custody, struct process *process,
		  const struct client *client);

/* A program has the connection of process->session now. */
void custody_begin(struct custody *custody, struct process *process, int64_t now_us);

/*
 * EPOLLERR or EPOLLHUP has come for it. A client that has closed in order is the
 * program's to find out; a reset ends the program once it has read what came before.
 */
void custody_hear(struct custody *custody, struct process *process, uint32_t events,
		  int64_t now_us);

/* There is something to look at by then. */
void custody_plan(struct custody *custody, int64_t at_us);

/* Looks at what is due, and the time at which that is next to be done; CLOCK_NEVER. */
void custody_tick(struct custody *custody, int64_t heard_us);
int64_t custody_deadline(const struct custody *custody);

/* How its session ended: what ended it outweighs how the program took that. */
enum reason custody_judge(const struct process *process, const siginfo_t *info,
			  bool reset);

/*
 * The program has ended as *ending tells, whose info is not NULL. Returns whether its
 * session is over; if not, it ends later, as a leftover.
 */
bool custody_end(struct custody *custody, struct process *process,
		 const struct ending *ending, int64_t now_us);

#endif
