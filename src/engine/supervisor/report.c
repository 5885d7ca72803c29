#include "report.h"

#include <string.h>

#include "server.h"

#define SECOND     1000000       /* microseconds */
#define CRASH_PACE (SECOND / 10) /* crashes can be caused from outside */

/* "SEGV"; a real-time signal has no name of its own and is given as a number. */
static void log_signal(struct log *log, int number)
{
	const char *name = sigabbrev_np(number);

	if (name != NULL)
		log_text(log, "signal", name);
	else
		log_number(log, "signal", number);
}

static void log_suppressed(struct log *log, uint64_t suppressed)
{
	if (suppressed > 0)
		log_number(log, "suppressed", (int64_t)suppressed);
}

/* Begins a line that is written once a second at most, and says what was left out. */
static bool begin_paced(struct log *log, struct throttle *throttle, int64_t now,
			enum log_severity severity, const char *event)
{
	uint64_t suppressed;

	if (!throttle_allows(throttle, now, SECOND, &suppressed) ||
	    !log_begin(log, severity, event))
		return false;
	log_suppressed(log, suppressed);
	return true;
}

static void log_exit(struct log *log, const siginfo_t *info)
{
	if (info->si_code == CLD_EXITED)
		log_number(log, "status", info->si_status);
	else
		log_signal(log, info->si_status);
}

/* Only an error number that has a name can be one: a worker may have written it. */
static void log_error(struct log *log, int error)
{
	const char *name = strerrorname_np(error);

	if (name == NULL)
		return;
	log_text(log, "error", name);
	log_text(log, "why", strerrordesc_np(error));
}

void report_start(struct prong *server)
{
	struct log *log = &server->log;

	for (unsigned i = 0; i < server->listener_count; i++) {
		const char *name = server->listeners[i].name;

		if (!log_begin(log, LOG_INFO, "listen"))
			return;
		log_address(log, "address", &server->listeners[i].address);
		if (name != NULL && name[0] != '\0')
			log_text(log, "name", name);
		log_end(log);
	}
	if (server->notify.error != 0 && log_begin(log, LOG_WARNING, "notify-failed")) {
		log_error(log, server->notify.error);
		log_end(log);
	}
	if (server->program != NULL && server->program->cold != NULL &&
	    log_begin(log, LOG_WARNING, "cold")) {
		log_text(log, "program", server->program->path);
		log_text(log, "why", server->program->cold);
		log_end(log);
	}
	if (server->settings.wants_sandbox && !server->sandbox.on &&
	    log_begin(log, LOG_WARNING, "sandbox-unavailable")) {
		log_text(log, "why", "no seccomp filter can be set here");
		log_end(log);
	}
	if (log_begin(log, LOG_INFO, "start")) {
		log_number(log, "pid", server->pid);
		log_text(log, "version", PRONG_VERSION);
		log_number(log, "max_processes", server->processes.max);
		log_number(log, "spare", server->settings.spare);
		if (server->settings.reuse == PRONG_REUSE_ALWAYS)
			log_text(log, "reuse", "always");
		else
			log_number(log, "reuse", server->settings.reuse);
		if (server->tallies != NULL)
			log_text(log, "accept", "workers");
		if (server->handler != NULL)
			log_text(log, "sandbox", sandbox_name(&server->sandbox));
		log_end(log);
	}
}

void report_stop_asked(struct prong *server)
{
	struct log *log = &server->log;

	if (!log_begin(log, LOG_INFO, "stopping"))
		return;
	log_signal(log, server->signals.stop_signal);
	log_number(log, "sessions", accepting_sessions(server));
	log_number(log, "grace_ms", server->settings.grace / 1000);
	log_end(log);
}

void report_grace_over(struct prong *server)
{
	struct log *log = &server->log;

	if (!log_begin(log, LOG_WARNING, "grace-expired"))
		return;
	log_number(log, "sessions", accepting_sessions(server));
	log_end(log);
}

void report_totals(struct prong *server, const char *event)
{
	const struct totals totals = accepting_totals(server);
	struct log *log = &server->log;

	if (!log_begin(log, LOG_INFO, event))
		return;
	log_number(log, "accepted", (int64_t)totals.accepted);
	log_number(log, "active", (int64_t)totals_active(&totals));
	log_number(log, "closed", (int64_t)totals_closed(&totals));
	for (int i = 0; i < REASON_COUNT; i++)
		if (totals.closed[i] > 0)
			log_number(log, reason_name((enum reason)i),
				   (int64_t)totals.closed[i]);
	log_number(log, "bytes_in", (int64_t)totals.bytes_in);
	log_number(log, "bytes_out", (int64_t)totals.bytes_out);
	log_number(log, "processes", (int64_t)totals.processes);
	if (server->policy.counts)
		log_number(log, "sources", server->policy.sources.connected);
	log_end(log);
}

void report_signal_ignored(struct prong *server, int64_t now)
{
	struct log *log = &server->log;

	if (!begin_paced(log, &server->throttles.signal, now, LOG_INFO,
			 "signal-ignored"))
		return;
	log_text(log, "why", "HUP and USR2 have no effect yet");
	log_end(log);
}

void report_limit_reached(struct prong *server)
{
	struct log *log = &server->log;

	if (!log_begin(log, LOG_WARNING, "limit-reached"))
		return;
	log_number(log, "max_processes", server->processes.max);
	log_text(log, "clients",
		 server->settings.at_limit == PRONG_WAIT ? "wait" : "refused");
	log_end(log);
}

void report_limit_left(struct prong *server, int64_t now)
{
	const struct limit *limit = &server->admission.limit;
	struct log *log = &server->log;

	if (!log_begin(log, LOG_INFO, "limit-cleared"))
		return;
	log_number(log, "duration_ms", (now - limit->since) / 1000);
	log_number(log, "times", (int64_t)limit->times);
	log_end(log);
}

void report_accept_failed(struct prong *server, int error, int64_t now)
{
	struct log *log = &server->log;

	if (!begin_paced(log, &server->throttles.accept, now, LOG_ERROR,
			 "accept-failed"))
		return;
	log_text(log, "error", strerrorname_np(error));
	log_text(log, "why", strerrordesc_np(error));
	log_end(log);
}

void report_fork_failed(struct prong *server, int error, int64_t now)
{
	struct log *log = &server->log;

	if (!begin_paced(log, &server->throttles.fork, now, LOG_ERROR, "fork-failed"))
		return;
	log_text(log, "error", strerrorname_np(error));
	log_text(log, "why", strerrordesc_np(error));
	log_number(log, "processes", server->processes.used);
	log_end(log);
}

/* Of a spare there is no client yet. */
static void log_client(struct log *log, const struct client *client)
{
	if (client == NULL)
		return;
	log_number(log, "conn", (int64_t)client->id);
	log_address(log, "peer", &client->peer);
}

void report_exec_failed(struct prong *server, const struct client *client, int error,
			int64_t now)
{
	struct log *log = &server->log;

	if (!begin_paced(log, &server->throttles.exec, now, LOG_ERROR, "exec-failed"))
		return;
	log_client(log, client);
	log_text(log, "program", server->program->path);
	log_error(log, error);
	log_end(log);
}

void report_privileges_failed(struct prong *server, const struct client *client,
			      int step, int error, int64_t now)
{
	struct log *log = &server->log;

	if (!begin_paced(log, &server->throttles.privileges, now, LOG_ERROR,
			 "privileges-failed"))
		return;
	log_client(log, client);
	log_text(log, "call", privileges_step_name(step));
	log_error(log, error);
	log_end(log);
}

void report_spare_died(struct prong *server, const siginfo_t *info, int64_t now)
{
	struct log *log = &server->log;

	if (!begin_paced(log, &server->throttles.spare, now, LOG_WARNING, "spare-died"))
		return;
	log_number(log, "pid", info->si_pid);
	log_exit(log, info);
	log_end(log);
}

void report_connect(struct prong *server, const struct client *client)
{
	struct log *log = &server->log;

	if (!log_begin(log, LOG_DEBUG, "connect"))
		return;
	log_number(log, "conn", (int64_t)client->id);
	log_address(log, "peer", &client->peer);
	log_end(log);
}

void report_serve(struct prong *server, const struct client *client, pid_t pid)
{
	struct log *log = &server->log;

	if (!log_begin(log, LOG_DEBUG, "serve"))
		return;
	log_number(log, "conn", (int64_t)client->id);
	log_number(log, "pid", pid);
	log_end(log);
}

void report_close(struct prong *server, const struct process *process,
		  const struct ending *ending, int64_t now)
{
	bool crash = reason_is_crash(ending->reason);
	struct log *log = &server->log;
	uint64_t suppressed = 0;

	if (crash && log->most < LOG_DEBUG &&
	    !throttle_allows(&server->throttles.crash, now, CRASH_PACE, &suppressed))
		return;
	if (!log_begin(log, crash ? LOG_WARNING : LOG_DEBUG, "close"))
		return;
	if (process->client.id != 0)
		log_client(log, &process->client);
	log_number(log, "pid", process->pid);
	log_text(log, "reason", reason_name(ending->reason));
	if (ending->info != NULL && (crash || server->handler == NULL))
		log_exit(log, ending->info);
	if (ending->reason == REASON_CRASH_SANDBOX && ending->forbidden_call >= 0)
		log_number(log, "call", ending->forbidden_call);
	log_number(log, "bytes_in", (int64_t)ending->bytes_in);
	log_number(log, "bytes_out", (int64_t)ending->bytes_out);
	if (process->client.id != 0)
		log_number(log, "duration_ms",
			   (now - process->client.accepted_at) / 1000);
	log_suppressed(log, suppressed);
	log_end(log);
}

void report_reap(struct prong *server, const siginfo_t *info)
{
	struct log *log = &server->log;

	if (!log_begin(log, LOG_DEBUG, "reap"))
		return;
	log_number(log, "pid", info->si_pid);
	log_exit(log, info);
	log_end(log);
}

void report_refused(struct prong *server, const struct client *client,
		    enum reason reason, int64_t now)
{
	struct log *log = &server->log;
	uint64_t suppressed = 0;

	if (log->most < LOG_DEBUG &&
	    !throttle_allows(&server->throttles.refused[reason], now, SECOND,
			     &suppressed))
		return;
	if (!log_begin(log, LOG_WARNING, "refused"))
		return;
	log_number(log, "conn", (int64_t)client->id);
	log_address(log, "peer", &client->peer);
	log_text(log, "reason", reason_name(reason));
	log_suppressed(log, suppressed);
	log_end(log);
}
