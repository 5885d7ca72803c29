/*
 * The memory that one of our processes reads until it has become a program. The process
 * shares the supervisor's memory (CLONE_VM, clone(2)), and the supervisor goes on
 * meanwhile; so the launch, its environment and the stack belong to that one launch.
 * The kernel itself says when they are free again: it clears the stage when the child
 * has left the memory, by execve(2) or by its end (CLONE_CHILD_CLEARTID).
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

#define LAUNCHPAD_BYTES 65536 /* only what is used takes memory: 3 pages */

struct launch {
	const struct program *program;
	int connection; /* stays the caller's */
	int channel;    /* for WARM_CHANNEL; -1: none */
	int error;      /* becomes its standard error, if that is logged */
	int null;       /* /dev/null, for reading and writing */
	pid_t parent;   /* the caller; the program dies with it */
	const struct privileges *privileges;
	uid_t uid; /* user of its own; 0: the user of the privileges */
	/* The client whose names the program's process looks up itself; NULL: none. */
	const struct client *client;
	unsigned connections;  /* that the client's source has open */
	struct score_row *row; /* receives the errno and the step that failed */
};

enum launchpad_stage {
	LAUNCHPAD_LEFT,    /* no child reads it, or no longer */
	LAUNCHPAD_SHARED,  /* the child begins */
	LAUNCHPAD_SETTLED, /* of the supervisor it has only the memory left */
};

struct launchpad {
	_Atomic uint32_t stage; /* a futex(2) */
	struct launch launch;
	struct environment environment;
	struct launchpad *next;
};

/* Zeroed: empty. */
struct launchpads {
	struct launchpad *free;         /* the one used last comes first */
	struct launchpad *first, *last; /* in use, or not yet seen to be free again */
	unsigned free_count;
};

/*
 * Takes a free one, or makes one; the caller fills it and gives it to launch_program().
 * Returns NULL if there is no memory.
 */
struct launchpad *launchpad_take(struct launchpads *pads);

/* Releases all, also those in use, so no child may be left. */
void launchpads_close(struct launchpads *pads);

#endif
