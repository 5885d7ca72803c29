/*
 * The limit of descriptors (RLIMIT_NOFILE, getrlimit(2)): counts how many the
 * supervisor needs, raises the soft limit while the supervisor serves, and restores it
 * afterwards. The hard limit is never changed. Children get the original soft limit:
 * with more than FD_SETSIZE descriptors select(2) would break in programs.
 */
#ifndef ENGINE_DESCRIPTORS_H
#define ENGINE_DESCRIPTORS_H

#include <sys/resource.h>

#include <stdbool.h>

#include "base/why.h"
#include "prong.h"

struct descriptors {
	unsigned own;       /* for the supervisor itself */
	unsigned kept;      /* for processes that are kept ready: all are needed */
	unsigned processes; /* for all processes, including those that wait */
	unsigned lingering; /* for connections that are being closed; optional */
	rlim_t before;      /* the soft limit before it was raised */
	bool raised;
};

/* By how much the hard limit is too low. */
struct shortage {
	rlim_t limit;  /* the hard limit */
	rlim_t needed; /* by the supervisor, with all processes */
};

/*
 * Begins to count: the descriptors open now, those below keep_fds, and what a
 * supervisor with this number of listeners opens besides. The caller fills in the rest.
 */
void descriptors_count(struct descriptors *descriptors, unsigned listeners,
		       int keep_fds);

/*
 * Returns 0; or -EMFILE, with a sentence in why, if the hard limit is too low for the
 * supervisor and the processes that are kept ready.
 */
int descriptors_check(const struct descriptors *descriptors, struct why *why);

/* Raises the soft limit to what was counted, or to the hard limit if that is lower. */
void descriptors_raise(struct descriptors *descriptors);

/* Restores the soft limit, if it was raised. */
void descriptors_restore(struct descriptors *descriptors);

/* Whether the hard limit is too low for all processes; if so, fills *shortage. */
bool descriptors_are_short(const struct descriptors *descriptors,
			   struct shortage *shortage);

#endif
