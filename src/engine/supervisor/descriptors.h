/*
 * The limit of descriptors (RLIMIT_NOFILE, getrlimit(2)): how many the supervisor needs,
 * and the soft limit, which is raised for that while the supervisor serves and put back
 * afterwards. The hard limit is never changed. Children get the soft limit of before:
 * with more than FD_SETSIZE of them select(2) would break in programs.
 */
#ifndef ENGINE_DESCRIPTORS_H
#define ENGINE_DESCRIPTORS_H

#include <sys/resource.h>

#include <stdbool.h>

#include "base/why.h"
#include "prong.h"

struct descriptors {
	unsigned own;  /* for the supervisor itself */
	unsigned kept; /* for processes that are kept ready: all of these are needed */
	unsigned processes; /* for all processes, those that wait included */
	unsigned
		lingering; /* for connections that are being closed; can be done without */
	rlim_t before;     /* the soft limit that was found when it was raised */
	bool raised;
};

/* How many of those that are needed the hard limit does not allow. */
struct shortage {
	rlim_t limit;  /* the hard one */
	rlim_t needed; /* of the supervisor, with all processes */
};

/*
 * Begins to count: those that are open now, those below keep_fds, and what a supervisor
 * with so many listeners opens besides. The caller fills in the rest.
 */
void descriptors_count(struct descriptors *descriptors, unsigned listeners,
		       int keep_fds);

/*
 * Returns 0; or -EMFILE, with a sentence in why, if the hard limit is too low for the
 * supervisor and the processes that are kept.
 */
int descriptors_check(const struct descriptors *descriptors, struct why *why);

/* Raises the soft limit for what was counted, as far as the hard limit lets it. */
void descriptors_raise(struct descriptors *descriptors);

/* Puts the soft limit back, if it was raised. */
void descriptors_restore(struct descriptors *descriptors);

/* Whether the hard limit is too low for all processes; if so, fills *shortage. */
bool descriptors_are_short(const struct descriptors *descriptors,
			   struct shortage *shortage);

#endif
