/*
 * The memory that a process of ours reads until it has become a program: it shares the
 * supervisor's (CLONE_VM, clone(2)), which goes on meanwhile, so the launch, its
 * environment and the stack belong to that one launch. The kernel itself says when they
 * are free again: it clears the stage when the child has left the memory, by execve(2) or
 * by its end (CLONE_CHILD_CLEARTID).
 */
#ifndef ENGINE_LAUNCHPAD_H
#define ENGINE_LAUNCHPAD_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "environment.h"
#include "program.h"

struct privileges;
struct score_row;

#define LAUNCHPAD_BYTES 65536 /* of which what is used takes memory: 3 pages */

struct launch {
	const struct program *program;
	int connection; /* stays the caller's */
	int channel;    /* for WARM_CHANNEL; -1: none */
	int error;      /* to be its standard error, where that is logged */
	int null;       /* /dev/null, open for both */
	pid_t parent;   /* the caller: the program dies with it */
	const struct privileges *privileges;
	uid_t uid; /* its own; 0: that of the privileges */
	/* Whose names the program's process looks up itself; NULL: it has none to. */
	const struct client *client;
	unsigned connections;  /* that the client's source has open */
	struct score_row *row; /* receives the errno, and step, that failed */
};

enum launchpad_stage {
	LAUNCHPAD_LEFT,    /* no child reads it (any more) */
	LAUNCHPAD_SHARED,  /* the child begins */
	LAUNCHPAD_SETTLED, /* it has nothing of the supervisor's but the memory */
};

struct launchpad {
	_Atomic uint32_t stage; /* a futex(2) */
	struct launch launch;
	struct environment environment;
	struct launchpad *next;
};

/* Zeroed: there is none yet. */
struct launchpads {
	struct launchpad *free;         /* the one used last comes first */
	struct launchpad *first, *last; /* in use, or not yet seen to be free again */
	unsigned free_count;
};

/*
 * Takes one that is free, or makes one: to be filled, and given to launch_program().
 * Returns NULL without memory.
 */
struct launchpad *launchpad_take(struct launchpads *pads);

/* Releases all; of those in use too, so no child may be left. */
void launchpads_close(struct launchpads *pads);

#endif
