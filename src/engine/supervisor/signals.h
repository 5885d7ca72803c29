/*
 * Signals as data: all are blocked and read from a signalfd in the loop; no handler
 * runs. Owns the caller's mask and dispositions while the server runs.
 */
#ifndef ENGINE_SIGNALS_H
#define ENGINE_SIGNALS_H

#include <sys/types.h>

#include <signal.h>
#include <stdbool.h>

#include "base/loop.h"

#define SIGNALS_AT_ONCE 16

/* What SIGCHLD tells about children that have ended. */
struct exits {
	bool any;                    /* at least one has ended since this was cleared */
	pid_t pids[SIGNALS_AT_ONCE]; /* pids that SIGCHLD named: any numbers */
	unsigned count;
};

struct signals {
	int fd; /* of signalfd(2); -1: not open */
	struct watch watch;
	sigset_t saved_mask;           /* of the caller of prong_run() */
	struct sigaction saved[_NSIG]; /* the caller's dispositions, by number */
	struct exits exits;
	unsigned stops;             /* TERM or INT, not acted on yet */
	int stop_signal;            /* which of them came */
	bool quit, totals, ignored; /* QUIT; USR1; HUP or USR2 */
	int error;                  /* errno of a read(2) that failed; 0: none */
};

/*
 * Blocks all signals except those of job control and faults, sets every disposition to
 * its default and opens the signalfd. Returns 0 or a negative errno.
 */
int signals_take(struct signals *signals);

/* Reads and notes what comes from now on. Returns 0 or a negative errno. */
int signals_watch(struct signals *signals, struct loop *loop);

/* Discards unread signals; restores mask and dispositions. */
void signals_release(struct signals *signals);

/*
 * The disposition of this signal has another owner: signals_take() does not set it, and
 * signals_release() does not restore it.
 */
void signals_keep(struct signals *signals, int number);

#endif
