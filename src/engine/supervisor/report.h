/*
 * What the supervisor says: one function an event, so that names and fields of the
 * log stand in one file. What could come often has a pace, and says what it left
 * out. See prongd(8), LOG.
 */
#ifndef ENGINE_REPORT_H
#define ENGINE_REPORT_H

#include <signal.h>

#include "engine/record/client.h"
#include "engine/record/reason.h"

struct prong;
struct process;

/* How a connection ended. */
struct ending {
	enum reason reason;
	const siginfo_t *info; /* of its process; NULL: that lives on */
	uint64_t bytes_in, bytes_out;
	int forbidden_call; /* of a crash-sandbox; -1: not known */
};

void report_start(struct prong *server);
void report_stop_asked(struct prong *server);
void report_grace_over(struct prong *server);
void report_totals(struct prong *server, const char *event);
void report_signal_ignored(struct prong *server, int64_t now);

void report_limit_reached(struct prong *server);
void report_limit_left(struct prong *server, int64_t now);
void report_accept_failed(struct prong *server, int error, int64_t now);
void report_fork_failed(struct prong *server, int error, int64_t now);

/*
 * A process could not begin to serve; client is NULL for a spare. step is one of
 * privileges.h, error an errno: any number does, since a worker may have written it.
 */
void report_exec_failed(struct prong *server, const struct client *client, int error,
			int64_t now);
void report_privileges_failed(struct prong *server, const struct client *client,
			      int step, int error, int64_t now);
void report_spare_died(struct prong *server, const siginfo_t *info, int64_t now);

/* The four of a connection's life. */
void report_connect(struct prong *server, const struct client *client);
void report_serve(struct prong *server, const struct client *client, pid_t pid);
void report_close(struct prong *server, const struct process *process,
		  const struct ending *ending, int64_t now);
void report_reap(struct prong *server, const siginfo_t *info);

void report_refused(struct prong *server, const struct client *client,
		    enum reason reason, int64_t now);

#endif
