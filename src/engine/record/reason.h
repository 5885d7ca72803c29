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
	REASON_RESET,    /* the client was gone: reset, or unreachable */
	REASON_IDLE,     /* no byte moved for options.idle_timeout */
	REASON_DEADLINE, /* options.session_timeout was over */
	REASON_FAILED,   /* the handler said so */
	REASON_STOPPED,  /* cut off by the server's stop */
	REASON_CRASH_SIGNAL,  /* a signal that the supervisor did not send */
	REASON_CRASH_EXIT,    /* an exit status that is not in this table */
	REASON_CRASH_SANDBOX, /* it tried what the sandbox forbids */
	REASON_EXEC_FAILED,   /* the program could not be started */
	/* Refused, in the order in which it is looked at; policy.c. */
	REASON_REFUSED_DENIED,          /* no prefix that is allowed holds the client */
	REASON_REFUSED_RATE_PER_SOURCE, /* its source came too often */
	REASON_REFUSED_RATE,            /* all sources together came too often */
	REASON_REFUSED_MAX_PER_SOURCE, /* its source has max_per_source connections open */
	REASON_REFUSED_FULL, /* max_processes were at work, and the policy is to refuse */
	REASON_REFUSED_FORK, /* no process could be made, and the policy is to refuse */
	REASON_REFUSED_DESCRIPTORS, /* out of descriptors, and the policy is to refuse */
	REASON_REFUSED_PRIVILEGES,  /* its process could not be given its rights */
	REASON_COUNT
};

const char *reason_name(enum reason reason);

/* An end that an administrator should see without asking for it. */
bool reason_is_crash(enum reason reason);

/* The exit status by which a worker tells the reason. */
int reason_exit_status(enum reason reason);

/* Whether a worker that lives on may give this number as the reason of an end. */
bool reason_is_completion(uint64_t number);

/* And back; REASON_CRASH_EXIT for a status that tells none. */
enum reason reason_from_exit_status(int status);

#endif
