#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/listener.h"
#include "descriptors.h"
#include "engine/confine/privileges.h"

#define SECOND_US     1000000
#define SAID_ROOM     80               /* after a program's line: two numbers */
#define FAULT_PACE_US (SECOND_US / 10) /* faults can be caused from outside */

/* "SEGV"; a real-time signal has no name of its own and is written as a number. */
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

/* Begins a line that is written at most once a second. */
static bool begin_throttled(struct log *log, struct throttle *throttle, int64_t now_us,
			    enum log_severity severity, const char *event)
{
	uint64_t suppressed;

	if (!throttle_allows(throttle, now_us, SECOND_US, &suppressed) ||
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

/* Kernels, and filters of containers, return errors for which libc has no name. */
static void log_error(struct log *log, int error)
{
	const char *name = strerrorname_np(error);

	if (name != NULL)
		log_text(log, "error", name);
	else
		log_number(log, "error", error);
	log_text(log, "why", name != NULL ? strerrordesc_np(error) : "Unknown error");
}

/* Logs what to do about it, if the error is the server's own. */
static void log_cure(struct log *log, int error)
{
	static const struct {
		int error;
		const char *cure;
	} cures[] = {
		{ EAGAIN, "raise TasksMax=, ulimit -u or kernel.pid_max" },
		{ EMFILE, "raise LimitNOFILE= or ulimit -n" },
		{ ENFILE, "raise fs.file-max" },
		{ ENOMEM, "raise MemoryMax=, or lower max-processes" },
		{ ENOSPC, "epoll_ctl(2): raise fs.epoll.max_user_watches" },
		{ EPERM, "allow this call in the container's seccomp profile or in "
			 "systemd's SystemCallFilter=" },
		{ ENOSYS, "allow this call in the container's seccomp profile or in "
			  "systemd's SystemCallFilter=" },
	};

	for (size_t i = 0; i < sizeof(cures) / sizeof(cures[0]); i++)
		if (cures[i].error == error)
			log_text(log, "cure", cures[i].cure);
}

void report_ready_failed(struct report *report, int error)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_WARNING, "ready-failed"))
		return;
	log_error(log, error);
	log_end(log);
}

void report_ready(struct report *report)
{
	struct log *log = &report->log;

	if (report->notify.error != 0 && log_begin(log, LOG_WARNING, "notify-failed")) {
		log_error(log, report->notify.error);
		log_end(log);
	}
	notify_ready(&report->notify);
}

void report_stopping(struct report *report, int signal, int64_t sessions,
		     int64_t grace_us)
{
	struct log *log = &report->log;

	notify_stopping(&report->notify, sessions, grace_us);
	if (!log_begin(log, LOG_INFO, "stopping"))
		return;
	log_signal(log, signal);
	log_number(log, "sessions", sessions);
	log_number(log, "grace_ms", grace_us / 1000);
	log_end(log);
}

void report_grace_expired(struct report *report, int64_t sessions)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_WARNING, "grace-expired"))
		return;
	log_number(log, "sessions", sessions);
	log_end(log);
}

void report_unkillable(struct report *report, pid_t pid, int error)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_ERROR, "unkillable"))
		return;
	log_number(log, "pid", pid);
	if (error != 0)
		log_error(log, error);
	else
		log_text(log, "why", "it was sent SIGKILL but has not ended");
	log_end(log);
}

static void log_totals(struct report *report, const char *event,
		       const struct totals *totals, uint64_t processes, int64_t sources)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_INFO, event))
		return;
	log_number(log, "accepted", (int64_t)totals->accepted);
	log_number(log, "active", (int64_t)totals_active(totals));
	log_number(log, "closed", (int64_t)totals_closed(totals));
	for (int i = 0; i < REASON_COUNT; i++)
		if (totals->closed[i] > 0)
			log_number(log, reason_name((enum reason)i),
				   (int64_t)totals->closed[i]);
	log_number(log, "bytes_in", (int64_t)totals->bytes_in);
	log_number(log, "bytes_out", (int64_t)totals->bytes_out);
	log_number(log, "processes", (int64_t)processes);
	if (sources >= 0)
		log_number(log, "sources", sources);
	log_end(log);
}

void report_totals(struct report *report, const struct totals *totals,
		   uint64_t processes, int64_t sources)
{
	log_totals(report, "totals", totals, processes, sources);
}

void report_end(struct report *report, const struct totals *totals, uint64_t processes,
		int64_t sources)
{
	log_totals(report, "stop", totals, processes, sources);
}

void report_signal_ignored(struct report *report, int64_t now_us)
{
	struct log *log = &report->log;

	if (!begin_throttled(log, &report->signal, now_us, LOG_INFO, "signal-ignored"))
		return;
	log_text(log, "why", "SIGHUP and SIGUSR2 have no effect");
	log_end(log);
}

void report_limit_reached(struct report *report, unsigned max, bool wait)
{
	struct log *log = &report->log;

	notify_full(&report->notify, max, wait);
	if (!log_begin(log, LOG_WARNING, "limit-reached"))
		return;
	log_number(log, "max_processes", max);
	log_text(log, "clients", wait ? "wait" : "refused");
	log_end(log);
}

void report_limit_cleared(struct report *report, int64_t duration_us, uint64_t times)
{
	struct log *log = &report->log;

	notify_serving(&report->notify);
	if (!log_begin(log, LOG_INFO, "limit-cleared"))
		return;
	log_number(log, "duration_ms", duration_us / 1000);
	log_number(log, "times", (int64_t)times);
	log_end(log);
}

void report_accept_failed(struct report *report, int error, int64_t now_us)
{
	struct log *log = &report->log;

	if (!begin_throttled(log, &report->accept, now_us, LOG_ERROR, "accept-failed"))
		return;
	log_error(log, error);
	log_cure(log, error);
	log_end(log);
}

void report_fork_failed(struct report *report, int error, unsigned processes,
			int64_t now_us)
{
	struct log *log = &report->log;

	if (!begin_throttled(log, &report->fork, now_us, LOG_ERROR, "fork-failed"))
		return;
	log_error(log, error);
	log_cure(log, error);
	log_number(log, "processes", processes);
	log_end(log);
}

void report_events_failed(struct report *report, const char *call, int error,
			  int64_t now_us)
{
	struct log *log = &report->log;

	if (!begin_throttled(log, &report->events, now_us, LOG_ERROR, "events-failed"))
		return;
	log_text(log, "call", call);
	log_error(log, error);
	log_cure(log, error);
	log_end(log);
}

/* A spare has no client yet, and some clients are unknown. */
static void log_client(struct log *log, const struct client *client)
{
	if (client == NULL || client->id == 0)
		return;
	log_number(log, "conn", (int64_t)client->id);
	log_address(log, "peer", &client->peer);
}

void report_exec_failed(struct report *report, const struct client *client,
			const char *program, int error, int64_t now_us)
{
	struct log *log = &report->log;

	if (!begin_throttled(log, &report->exec, now_us, LOG_ERROR, "exec-failed"))
		return;
	log_client(log, client);
	log_text(log, "program", program);
	log_error(log, error);
	log_end(log);
}

void report_privileges_failed(struct report *report, const struct client *client,
			      int step, int error, int64_t now_us)
{
	struct log *log = &report->log;

	if (!begin_throttled(log, &report->privileges, now_us, LOG_ERROR,
			     "privileges-failed"))
		return;
	log_client(log, client);
	log_text(log, "call", privileges_step_name(step));
	log_error(log, error);
	log_end(log);
}

void report_spare_died(struct report *report, const siginfo_t *info, int64_t now_us)
{
	struct log *log = &report->log;

	if (!begin_throttled(log, &report->spare, now_us, LOG_WARNING, "spare-died"))
		return;
	log_number(log, "pid", info->si_pid);
	log_exit(log, info);
	log_end(log);
}

void report_spare_stuck(struct report *report, pid_t pid, int64_t now_us)
{
	struct log *log = &report->log;

	if (!begin_throttled(log, &report->spare, now_us, LOG_WARNING, "spare-stuck"))
		return;
	log_number(log, "pid", pid);
	log_text(log, "why",
		 "it was not ready for a connection in time and was "
		 "killed");
	log_end(log);
}

void report_connect(struct report *report, const struct client *client)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_DEBUG, "connect"))
		return;
	log_client(log, client);
	log_end(log);
}

/* Logged only if programs have users of their own. */
static void log_user(struct log *log, uid_t uid)
{
	if (uid != 0)
		log_number(log, "uid", uid);
}

void report_serve(struct report *report, const struct client *client, pid_t pid,
		  uid_t uid)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_DEBUG, "serve"))
		return;
	log_number(log, "conn", (int64_t)client->id);
	log_number(log, "pid", pid);
	log_user(log, uid);
	log_end(log);
}

void report_close(struct report *report, const struct client *client,
		  const struct ending *ending, int64_t now_us)
{
	bool crash = reason_is_crash(ending->reason);
	bool abnormal = crash || ending->reason == REASON_FAILED;
	struct throttle *throttle = crash ? &report->crash : &report->failed;
	struct log *log = &report->log;
	uint64_t suppressed = 0;

	if (abnormal && log->most < LOG_CONNECTION &&
	    !throttle_allows(throttle, now_us, FAULT_PACE_US, &suppressed))
		return;
	if (!log_begin(log, abnormal ? LOG_WARNING : LOG_CONNECTION, "close"))
		return;
	log_client(log, client);
	log_number(log, "pid", ending->pid);
	log_user(log, ending->uid);
	log_text(log, "reason", reason_name(ending->reason));
	if (ending->info != NULL)
		log_exit(log, ending->info);
	if (ending->reason == REASON_CRASH_SANDBOX && ending->forbidden_call >= 0)
		log_number(log, "call", ending->forbidden_call);
	log_number(log, "bytes_in", (int64_t)ending->bytes_in);
	log_number(log, "bytes_out", (int64_t)ending->bytes_out);
	if (client->id != 0)
		log_number(log, "duration_ms",
			   (now_us - client->accepted_at_us) / 1000);
	log_suppressed(log, suppressed);
	log_end(log);
}

void report_reap(struct report *report, const siginfo_t *info)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_DEBUG, "reap"))
		return;
	log_number(log, "pid", info->si_pid);
	log_exit(log, info);
	log_end(log);
}

void report_said(struct report *report, const struct said *said)
{
	struct log *log = &report->log;
	size_t cut = said->cut;

	if (!log_begin(log, LOG_INFO, "said"))
		return;
	if (said->conn != 0)
		log_number(log, "conn", (int64_t)said->conn);
	if (said->pid != 0)
		log_number(log, "pid", said->pid);
	if (said->text != NULL)
		cut += said->length -
		       log_bytes(log, "text", said->text, said->length, SAID_ROOM);
	if (cut > 0)
		log_number(log, "cut_bytes", (int64_t)cut);
	log_suppressed(log, said->dropped);
	log_end(log);
}

void report_refused(struct report *report, const struct client *client,
		    enum reason reason, int64_t now_us)
{
	struct log *log = &report->log;
	uint64_t suppressed = 0;

	if (log->most < LOG_CONNECTION &&
	    !throttle_allows(&report->refused[reason], now_us, SECOND_US, &suppressed))
		return;
	if (!log_begin(log, LOG_WARNING, "refused"))
		return;
	log_client(log, client);
	log_text(log, "reason", reason_name(reason));
	log_suppressed(log, suppressed);
	log_end(log);
}
