/*
 * What the supervisor tells the log and the service manager: one function per event, so
 * that the names and fields of log lines are in one file. A line that could come often
 * is throttled, and says how many were suppressed. See prongd(8), LOG.
 */
#ifndef ENGINE_REPORT_H
#define ENGINE_REPORT_H

#include <sys/types.h>

#include <signal.h>

#include "base/log.h"
#include "engine/record/client.h"
#include "engine/record/throttle.h"
#include "notify.h"
#include "totals.h"

struct listener;
struct shortage;
struct voice;

struct report {
	struct log log;
	struct notify notify;
	struct throttle accept, fork, exec, privileges, crash, failed, spare, signal,
		totals, events;
	struct throttle refused[REASON_COUNT];
};

/* How a connection ended, and what is known about its process; ending.h. */
struct ending {
	enum reason reason;
	pid_t pid;
	uid_t uid;             /* its own user, of a range; 0: none */
	const siginfo_t *info; /* how the process ended, if that is logged */
	uint64_t bytes_in, bytes_out;
	int forbidden_call;  /* of a crash-sandbox; -1: unknown */
	struct voice *voice; /* of a program that left processes behind; NULL */
};

/* A line of a program's standard error; voice.h. */
struct said {
	uint64_t conn;    /* 0: without a connection */
	pid_t pid;        /* 0: of no particular process */
	const char *text; /* any bytes; NULL: only dropped lines are reported */
	size_t length;
	size_t cut;       /* bytes of the line that are not in text */
	uint64_t dropped; /* lines before it that were not logged */
};

/* The addresses could not be written to ready_fd. */
void report_ready_failed(struct report *report, int error);

/* The server is ready; tells the service manager. */
void report_ready(struct report *report);

void report_stopping(struct report *report, int signal, int64_t sessions,
		     int64_t grace_us);
/*
 * SIGKILL has not ended a process: kill(2) failed with error, or, if error is 0, it
 * lives.
 */
void report_unkillable(struct report *report, pid_t pid, int error);

void report_grace_expired(struct report *report, int64_t sessions);
void report_signal_ignored(struct report *report, int64_t now_us);

/* sources: how many are connected; negative: not counted. */
void report_totals(struct report *report, const struct totals *totals,
		   uint64_t processes, int64_t sources);
void report_end(struct report *report, const struct totals *totals, uint64_t processes,
		int64_t sources);

/* All max processes are busy; clients wait, or are refused. Tells the manager too. */
void report_limit_reached(struct report *report, unsigned max, bool wait);
void report_limit_cleared(struct report *report, int64_t duration_us, uint64_t times);
void report_events_failed(struct report *report, const char *call, int error,
			  int64_t now_us);
void report_accept_failed(struct report *report, int error, int64_t now_us);
void report_fork_failed(struct report *report, int error, unsigned processes,
			int64_t now_us);

/*
 * A process could not begin to serve: a step of giving up privileges failed, or its
 * program could not be started. client is NULL for a spare. step and error may have any
 * value, since a worker can have written them.
 */
void report_privileges_failed(struct report *report, const struct client *client,
			      int step, int error, int64_t now_us);
void report_exec_failed(struct report *report, const struct client *client,
			const char *program, int error, int64_t now_us);
void report_spare_died(struct report *report, const siginfo_t *info, int64_t now_us);
void report_spare_stuck(struct report *report, pid_t pid, int64_t now_us);

/* The four events of a connection. client.id is 0 if the client is unknown. */
void report_connect(struct report *report, const struct client *client);
void report_serve(struct report *report, const struct client *client, pid_t pid,
		  uid_t uid);
void report_close(struct report *report, const struct client *client,
		  const struct ending *ending, int64_t now_us);
void report_reap(struct report *report, const siginfo_t *info);

void report_said(struct report *report, const struct said *said);
void report_refused(struct report *report, const struct client *client,
		    enum reason reason, int64_t now_us);

#endif
