/*
 * How connections are served, a row for each way: by workers that the supervisor hands
 * them to (workers.h), by workers that accept for themselves (acceptors.h), by programs
 * (programs.h). Everything that is different between them is in such a row; dispatch.h
 * has what they have in common.
 */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "prong.h"
#include "process.h"

/* What the end of a process means: any of these together, or 0: nothing. */
enum {
	OUTCOME_SESSION = 1 << 0, /* a connection has ended with it */
	OUTCOME_SPARE_DIED = 1
			     << 1, /* it was ready to serve, and was not told to end */
	OUTCOME_SPARE_SERVED = 1 << 2, /* it began as a spare, and has served */
};

/* What a model may lack. options.c refuses what is asked for all the same. */
enum {
	LACKS_ADMISSION = 1 << 0, /* limits and lists by source, and refusing */
	LACKS_LISTENERS = 1 << 1, /* several addresses, and sockets handed over */
	LACKS_REUSE = 1 << 2,     /* a process for several connections */
	LACKS_FRESH = 1 << 3,     /* a process for one connection alone */
	LACKS_NO_SPARES = 1 << 4, /* to do without processes that are ready */
	LACKS_SANDBOX = 1 << 5,
	LACKS_ACCEPTING = 1 << 6, /* processes that accept for themselves */
	LACKS_USERS = 1 << 7,     /* a user for each process, of a range */
};

struct listener;
struct privileges;
struct report;
struct sandbox;
struct settings;
struct start;
struct why;

/* What models are made of. All of it outlives the model. */
struct model_parts {
	struct processes *processes;
	struct sessions *sessions;
	struct report *report;
	const struct settings *settings;
	struct privileges *privileges;
	const struct sandbox *sandbox;
	const int *null_fd; /* /dev/null, once it is open */
	prong_handler *handler;
	void *arg;
};

/*
 * What a model tries before anything is opened, with the rights that its processes will
 * have; preflight.h.
 */
struct trial {
	/* Returns 0, or a negative errno with why filled. */
	int (*run)(void *state, struct why *why);
	void *state; /* what run() finds; copied to the child and back */
	size_t size;
	bool in_child; /* run() changes the process that calls it */
	bool apart;    /* processes shall be kept apart, where that can be */
};

/* self is the state of the model in use. Functions that may be NULL say so. */
struct model {
	const char *name; /* in errors, as the options have it */
	unsigned lacks;   /* LACKS_... */

	bool counts_sources; /* it tells how many connections a source has open */
	bool calls_handler;
	bool root_may_gain; /* what it starts as root may gain privileges by execve(2) */

	/* Whether options ask for this model. */
	bool (*is_asked)(const struct prong_options *options);

	/*
	 * Makes the state from parts and options, and sets *trial if there is something
	 * to try. Returns 0, or a negative errno with why filled, after which close() is
	 * still to be called.
	 */
	int (*open)(void *self, const struct model_parts *parts,
		    const struct prong_options *options, struct trial *trial,
		    struct why *why);
	void (*close)(void *self);

	/* The trial went well: what it found, for settings. NULL: nothing. */
	void (*settle)(const void *self, struct settings *settings);

	/*
	 * The calling process is the supervisor from now on, and the loop is open.
	 * listener is the first of all. Returns 0, or a negative errno with why filled.
	 */
	int (*run)(void *self, struct listener *listener, int64_t now_us,
		   struct why *why);

	/* At the start: says what is not as asked for, and fills its part of the line. */
	void (*announce)(const void *self, struct start *start);

	/* Of a process that was started without a client. */
	enum process_state spare_state;
	/* From the end of a session's time to SIGTERM: a worker may end it by itself. */
	int64_t allowance_us;
	/*
	 * How many descriptors the supervisor holds, at most, for so many processes:
	 * channels, and connections that it keeps. NULL: none.
	 */
	unsigned (*descriptors)(const struct settings *settings, unsigned processes);
	bool lingers; /* connections that were served are the supervisor's to close */
	/* Spares are worth more than a moment's rate: replace them when half are left. */
	bool spares_are_dear;
	int64_t spare_age_us; /* a spare that is older is replaced; 0: none is */

	/*
	 * Starts a process in a slot, for client or, if that is NULL, as a spare.
	 * Returns its pid, or a negative errno if no process could be made.
	 */
	pid_t (*start)(void *self, struct process *process,
		       const struct client *client);

	/*
	 * Gives client to an idle process. Returns 0; -EPIPE or -ECONNRESET if the
	 * process is dying; -EAGAIN if it does not take what it is given; -ESTALE if it
	 * should be replaced; or another errno, not of its making. NULL: no process is ever idle.
	 */
	int (*hand_over)(void *self, struct process *process,
			 const struct client *client);

	/* The process has its client now, in process->session. */
	void (*begin)(void *self, struct process *process, int64_t now_us);

	/* The process has ended. Returns OUTCOME_...; fills *ending if a connection has ended with it. */
	unsigned (*ended)(void *self, struct process *process, const siginfo_t *info,
			  int64_t now_us, struct ending *ending);

	/*
	 * Says why a process could not begin, for client or (NULL) as a spare, as its row
	 * tells. Returns the reason; REASON_NONE, with nothing said: it tells of none.
	 */
	enum reason (*unbegun)(void *self, const struct process *process,
			       const struct client *client, int64_t now_us);

	/* A child ended that is not in the table. NULL: that needs nothing. */
	void (*stranger_ended)(void *self);

	/* How many processes shall be idle, or accepting. */
	unsigned (*wanted)(const void *self);

	/* Whether clients wait in vain; NULL: when every process is busy. */
	bool (*is_full)(const void *self);

	/* Adds what living processes have counted for themselves; NULL: they do not. */
	void (*add_living)(const void *self, struct totals *totals);

	/*
	 * What is due by the clock, and when that is next; CLOCK_NEVER. Sessions are
	 * judged as of heard_us: all that had happened by then is known. NULL: nothing.
	 */
	void (*tick)(void *self, int64_t heard_us, int64_t now_us);
	int64_t (*deadline)(const void *self);

	/* No new clients come from now on, but for those in the queue. NULL: so be it. */
	void (*drain)(void *self, int64_t now_us);

	/* The server stops now: gives up what no process of it serves. NULL: nothing. */
	void (*abandon)(void *self, int64_t now_us);

	/* Whether processes that it must end may live beside those of the table. NULL: no. */
	bool (*has_strays)(const void *self);

	/* The server ends although some live: says so. NULL: there are none. */
	void (*leave_strays)(const void *self);
};

/* The model in use, and its state. */
struct serving {
	const struct model *model;
	void *self;
};

#endif
