#include "stop.h"

#include <signal.h>

#include "admission.h"
#include "base/clock.h"
#include "notify.h"
#include "dispatch.h"
#include "report.h"
#include "server.h"
#include "session.h"

#define SESSION_ALLOWANCE 500000 /* for the worker to end itself; microseconds */
#define TERM_TO_KILL      500000 /* from SIGTERM to SIGKILL; microseconds */

/*
 * To the worker's process group, which it makes at its start; to itself while it
 * has not come so far. The pid is ours: it has not been collected yet.
 */
static void send_signal(const struct process *process, int number)
{
	if (kill(-process->pid, number) < 0)
		kill(process->pid, number);
}

static void terminate(struct prong *server, struct process *process, enum reason cut,
		      int64_t now)
{
	if (process->cut == REASON_NONE)
		process->cut = cut;
	process_set_state(&server->processes, process, PROCESS_ENDING, now);
	send_signal(process, SIGTERM);
}

void stop_terminate(struct prong *server, struct process *process, enum reason cut)
{
	terminate(server, process, cut, clock_now());
}

static void kill_now(struct prong *server, struct process *process, enum reason cut,
		     int64_t now)
{
	if (process->cut == REASON_NONE)
		process->cut = cut;
	dispatch_drop_channel(server, process);
	process_set_state(&server->processes, process, PROCESS_KILLED, now);
	send_signal(process, SIGKILL);
}

void stop_kill(struct prong *server, struct process *process)
{
	kill_now(server, process, REASON_CRASH_SIGNAL, clock_now());
}

static void kill_all(struct prong *server, int64_t now)
{
	static const enum process_state living[] = { PROCESS_IDLE, PROCESS_BUSY,
						     PROCESS_ENDING };

	admission_close(server);
	linger_close(server);
	for (size_t i = 0; i < sizeof(living) / sizeof(living[0]); i++) {
		const struct process_list *list = &server->processes.in[living[i]];

		while (list->first != NULL)
			kill_now(server, list->first, REASON_STOPPED, now);
	}
}

/* At the end of the grace TERM comes first, a little earlier than KILL. */
static void begin_stop(struct prong *server, int64_t now)
{
	int64_t grace = server->settings.grace;
	int64_t notice = grace / 10 < TERM_TO_KILL ? grace / 10 : TERM_TO_KILL;

	server->stop.asked = true;
	server->stop.kill_at = now + grace;
	server->stop.term_at = server->stop.kill_at - notice;
	report_stop_asked(server);
	notify_stopping(server);
	admission_drain(server);
}

static void obey_stop(struct prong *server, int64_t now)
{
	struct signals *signals = &server->signals;
	bool at_once = signals->quit || signals->stops > 1 || server->stop.asked;

	if (!server->stop.asked)
		begin_stop(server, now);
	if (at_once) {
		server->stop.term_at = CLOCK_NEVER;
		server->stop.kill_at = CLOCK_NEVER;
		kill_all(server, now);
	}
	signals->stops = 0;
	signals->quit = false;
}

void obey_signals(struct prong *server)
{
	struct signals *signals = &server->signals;
	int64_t now = clock_now();
	uint64_t suppressed;

	if (signals->stops > 0 || signals->quit)
		obey_stop(server, now);
	if (signals->totals &&
	    throttle_allows(&server->throttles.totals, now, 1000000, &suppressed))
		report_totals(server, "totals");
	signals->totals = false;
	if (signals->ignored)
		report_signal_ignored(server, now);
	signals->ignored = false;
}

static int64_t session_deadline(const struct prong *server)
{
	const struct process *oldest = server->processes.in[PROCESS_BUSY].first;

	if (server->settings.session_timeout == 0 || oldest == NULL)
		return CLOCK_NEVER;
	/* A worker keeps the deadline itself, if it can; a program knows of none. */
	return oldest->client.accepted_at + server->settings.session_timeout +
	       (server->handler != NULL ? SESSION_ALLOWANCE : 0);
}

static int64_t ending_deadline(const struct prong *server)
{
	const struct process *oldest = server->processes.in[PROCESS_ENDING].first;

	return oldest == NULL ? CLOCK_NEVER : oldest->since + TERM_TO_KILL;
}

static void terminate_all(struct prong *server, enum process_state state, int64_t now)
{
	while (server->processes.in[state].first != NULL)
		terminate(server, server->processes.in[state].first, REASON_STOPPED,
			  now);
}

static void enforce_stop(struct prong *server, int64_t now)
{
	if (server->stop.term_at <= now) {
		server->stop.term_at = CLOCK_NEVER;
		report_grace_over(server);
		terminate_all(server, PROCESS_BUSY, now);
		if (server->tallies != NULL) /* they count as idle, whatever they do */
			terminate_all(server, PROCESS_IDLE, now);
	}
	if (server->stop.kill_at <= now) {
		server->stop.kill_at = CLOCK_NEVER;
		kill_all(server, now);
	}
}

void enforce_deadlines(struct prong *server)
{
	/*
	 * Judged as of the moment before events were last looked for: a supervisor
	 * that was stopped for a minute first hears who has finished meanwhile.
	 */
	int64_t now = server->looked_at;

	while (session_deadline(server) <= now)
		terminate(server, server->processes.in[PROCESS_BUSY].first,
			  REASON_DEADLINE, now);
	while (ending_deadline(server) <= now)
		kill_now(server, server->processes.in[PROCESS_ENDING].first,
			 REASON_NONE, now);
	enforce_stop(server, now);
	sessions_check_idle(server, now);
	linger_expire(server, now);
}

bool stop_is_now(const struct prong *server)
{
	return server->stop.asked && server->stop.kill_at == CLOCK_NEVER;
}

bool stop_is_complete(const struct prong *server)
{
	return server->stop.asked && server->processes.used == 0 &&
	       server->lingering.count == 0 && admission_is_over(server);
}

int64_t stop_deadline(const struct prong *server)
{
	int64_t deadlines[] = {
		session_deadline(server),
		ending_deadline(server),
		server->stop.term_at,
		server->stop.kill_at,
		linger_deadline(&server->lingering),
		sessions_deadline(server),
	};

	/* It may have been completed by closing a listener: no event tells that. */
	if (stop_is_complete(server))
		return 0;
	return clock_first(deadlines, sizeof(deadlines) / sizeof(deadlines[0]));
}

void stop_now(struct prong *server)
{
	kill_all(server, clock_now());
}
