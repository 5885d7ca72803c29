/*
 * The models: one row for each way in which connections are served. Workers are handed
 * connections by the supervisor (workers.h), workers accept for themselves
 * (acceptors.h), or programs are run (programs.h). Everything in which the models
 * differ is in such a row; dispatch.h has what they share.
 */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include "prong.h"
#include "process.h"

/* What the end of a process means: any of these together, or 0. */
enum {
	OUTCOME_SESSION = 1 << 0, /* a connection has ended with it */
	OUTCOME_SPARE_DIED = 1
			     << 1, /* it was ready to serve, and was not told to end */
	OUTCOME_SPARE_SERVED = 1 << 2, /* it was started as a spare, and has served */
};

/* What a model may lack. options.c refuses options that ask for it. */
enum {
	LACKS_ADMISSION = 1 << 0, /* limits and lists of sources, and refusal */
	LACKS_LISTENERS = 1 << 1, /* several addresses, and adopted sockets */
	LACKS_REUSE = 1 << 2,     /* one process for several connections */
	LACKS_FRESH = 1 << 3,     /* one process for each connection */
	LACKS_NO_SPARES = 1 << 4, /* doing without processes that are kept ready */
	LACKS_SANDBOX = 1 << 5,
	LACKS_ACCEPTING = 1 << 6, /* processes that accept for themselves */
	LACKS_USERS = 1 << 7,     /* a user of its own for each process */
};

struct listener;
struct privileges;
struct report;
struct sandbox;
struct settings;
struct start;
struct why;

/* The parts that a model uses. They outlive the model. */
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
 * What a model tries before anything is opened, with the privileges that its processes
 * will have; preflight.h.
 */
struct trial {
	/* Returns 0, or a negative errno with a sentence in why. */
	int (*run)(void *state, struct why *why);
	void *state; /* what run() finds; copied to the child and back */
	size_t size;
	bool in_child; /* run() changes the process that calls it */
	bool apart;    /* processes are to be kept apart, if possible */
};

/* self is the state of the model in use. A function that may be NULL says so. */
struct model {
	const char *name; /* in errors, named as in the options */
	unsigned lacks;   /* LACKS_... */

	bool counts_sources; /* it tells how many connections a source has open */
	bool calls_handler;
	bool root_may_gain; /* what root starts may gain privileges by execve(2) */

	/* Whether options ask for this model. */
	bool (*is_asked)(const struct prong_options *options);

	/*
	 * Makes the state from parts and options, and sets *trial if there is something
	 * to try. Returns 0, or a negative errno with a sentence in why; close() must
	 * be called in either case.
	 */
	int (*open)(void *self, const struct model_parts *parts,
		    const struct prong_options *options, struct trial *trial,
		    struct why *why);
	void (*close)(void *self);

	/* The trial succeeded: stores what it found in settings. NULL: nothing. */
	void (*settle)(const void *self, struct settings *settings);

	/*
	 * The calling process is the supervisor from now on, and the loop is open.
	 * listener is the first listener. Returns 0, or a negative errno with a
	 * sentence in why.
	 */
	int (*run)(void *self, struct listener *listener, int64_t now_us,
		   struct why *why);

	/*
	 * At the start: logs what differs from the options, and fills in its part of
	 * the line.
	 */
	void (*announce)(const void *self, struct start *start);

	/* The state of a process that was started without a client. */
	enum process_state spare_state;
	/* From a session's timeout to SIGTERM: a worker may end it by itself. */
	int64_t allowance_us;
	/*
	 * The largest number of descriptors that the supervisor holds for this number
	 * of processes: channels, and connections that it keeps. NULL: none.
	 */
	unsigned (*descriptors)(const struct settings *settings, unsigned processes);
	bool lingers; /* the supervisor closes connections that were served */
	/*
	 * Spares are worth a short loss of rate: they are replaced when half are left.
	 */
	bool spares_are_dear;
	int64_t spare_age_us; /* a spare older than this is replaced; 0: never */

	/*
	 * Starts a process in a slot: for client, or as a spare if client is NULL.
	 * Returns its pid, or a negative errno if no process could be started.
	 */
	pid_t (*start)(void *self, struct process *process,
		       const struct client *client);

	/*
	 * Gives client to an idle process. Returns 0; -EPIPE or -ECONNRESET if the
	 * process is dying; -EAGAIN if it does not take what it is given; -ESTALE if it
	 * should be replaced; or another errno that is not its fault. NULL: no process
	 * is ever idle.
	 */
	int (*hand_over)(void *self, struct process *process,
			 const struct client *client);

	/* The process now has its client, in process->session. */
	void (*begin)(void *self, struct process *process, int64_t now_us);

	/*
	 * The process has ended. Returns OUTCOME_...; fills *ending if a connection has
	 * ended with it.
	 */
	unsigned (*ended)(void *self, struct process *process, const siginfo_t *info,
			  int64_t now_us, struct ending *ending);

	/*
	 * Logs why a process could not begin, for client or (NULL) as a spare, as its
	 * row says. Returns the reason; or REASON_NONE, with nothing logged, if the row
	 * gives none.
	 */
	enum reason (*unbegun)(void *self, const struct process *process,
			       const struct client *client, int64_t now_us);

	/* A child that is not in the table has ended. NULL: nothing to do. */
	void (*stranger_ended)(void *self);

	/* How many processes are to be idle, or accepting. */
	unsigned (*wanted)(const void *self);

	/* Whether clients wait in vain; NULL: they do when every process is busy. */
	bool (*is_full)(const void *self);

	/*
	 * Adds what living processes have counted themselves; NULL: they count nothing.
	 */
	void (*add_living)(const void *self, struct totals *totals);

	/*
	 * Does what is due by the clock, and sets when that is next; CLOCK_NEVER.
	 * Sessions are judged as of heard_us, up to which all events are known. NULL:
	 * nothing.
	 */
	void (*tick)(void *self, int64_t heard_us, int64_t now_us);
	int64_t (*deadline)(const void *self);

	/*
	 * No new clients come from now on, except those in the queue. NULL: nothing to
	 * do.
	 */
	void (*drain)(void *self, int64_t now_us);

	/*
	 * The server stops now: gives up connections that no process of its own serves.
	 * NULL: nothing.
	 */
	void (*abandon)(void *self, int64_t now_us);

	/*
	 * Whether processes that it must end may be alive outside the table. NULL: no.
	 */
	bool (*has_strays)(const void *self);

	/*
	 * The server ends although some of them live: logs them. NULL: there are none.
	 */
	void (*leave_strays)(const void *self);
};

/* The model in use, and its state. */
struct serving {
	const struct model *model;
	void *self;
};

#endif
