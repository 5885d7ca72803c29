/*
 * Why a connection ended. One table: the log line, the counters and the worker's
 * exit status all use it.
 */
#ifndef ENGINE_REASON_H
#define ENGINE_REASON_H

#include <stdbool.h>
#include <stdint.h>

enum reason {
	REASON_NONE,     /* it has not ended */
	REASON_EOF,      /* the client ended its sending, then the service finished */
	REASON_DONE,     /* the service finished first */
	REASON_RESET,    /* the client has reset the connection, or is unreachable */
	REASON_IDLE,     /* no traffic for options.idle_timeout */
	REASON_DEADLINE, /* options.session_timeout has passed */
	REASON_FAILED,   /* the handler returned a failure */
	REASON_STOPPED,  /* ended by the server's stop */
	REASON_CRASH_SIGNAL,  /* killed by a signal that the supervisor did not send */
	REASON_CRASH_EXIT,    /* an exit status that is not in this table */
	REASON_CRASH_SANDBOX, /* the worker tried what the sandbox forbids */
	REASON_EXEC_FAILED,   /* the program could not be started */
	/* Refused; in the order of the checks in policy.c. */
	REASON_REFUSED_DENIED,          /* no allowed prefix contains the client */
	REASON_REFUSED_RATE_PER_SOURCE, /* its source came too often */
	REASON_REFUSED_RATE,            /* all sources together came too often */
	REASON_REFUSED_MAX_PER_SOURCE, /* its source has max_per_source connections open */
	REASON_REFUSED_FULL, /* max_processes are serving; the policy is to refuse */
	REASON_REFUSED_FORK, /* no process could be made, and the policy is to refuse */
	REASON_REFUSED_DESCRIPTORS, /* no descriptor is free; the policy is to refuse */
	REASON_REFUSED_PRIVILEGES,  /* its process could not change its privileges */
	REASON_COUNT
};

const char *reason_name(enum reason reason);

/* Whether an administrator should see this end without asking for it. */
bool reason_is_crash(enum reason reason);

/* The exit status with which a worker reports this reason. */
int reason_exit_status(enum reason reason);

/* Whether a worker of a pool may report this number as a reason. */
bool reason_is_completion(uint64_t number);

/* The reverse; REASON_CRASH_EXIT for a status that reports no reason. */
enum reason reason_from_exit_status(int status);

#endif
