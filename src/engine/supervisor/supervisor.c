/*
 * The supervisor's loop: what it does, in which order, and the one place where it
 * sleeps. The parts do the work; the loop gives them the time and what they need from
 * each other.
 */
#include "supervisor.h"

#include <sys/epoll.h>

#include "base/clock.h"

#define FAILED_WAITS_MOST 100     /* in a row, with a pause after each */
#define TOTALS_PAUSE_US   1000000 /* between two answers to SIGUSR1 */

struct totals supervisor_totals(const struct prong *server)
{
	const struct serving *serving = &server->dispatch.serving;
	struct totals totals = server->sessions.totals;

	if (serving->model->add_living != NULL)
		serving->model->add_living(serving->self, &totals);
	return totals;
}

int64_t supervisor_sources(const struct prong *server)
{
	return server->policy.counts ? (int64_t)server->policy.sources.connected : -1;
}

/* How many sessions processes serve now; at most INT64_MAX. */
static int64_t count_sessions(const struct prong *server)
{
	struct totals totals = supervisor_totals(server);
	uint64_t active = totals_active(&totals);

	return (int64_t)(active - (server->admission.held.id != 0 && active > 0));
}

static void obey_stop(struct prong *server, int64_t now_us)
{
	struct signals *signals = &server->signals;
	bool at_once = signals->quit || signals->stops > 1 || server->stop.requested;

	if (!server->stop.requested)
		stop_begin(&server->stop, signals->stop_signal, count_sessions(server),
			   server->settings.grace_us, now_us);
	if (at_once)
		stop_at_once(&server->stop, now_us);
	signals->stops = 0;
	signals->quit = false;
}

/*
 * Signals are pending but cannot be read: the loop would wake for them again at once.
 */
static void note_unread_signals(struct prong *server, int64_t now_us)
{
	struct signals *signals = &server->signals;

	if (signals->error == 0)
		return;
	report_events_failed(&server->report, "read", signals->error, now_us);
	signals->error = 0;
	loop_stall(&server->loop);
}

/* Does what the received signals ask for. */
static void obey_signals(struct prong *server, int64_t now_us)
{
	struct signals *signals = &server->signals;
	struct report *report = &server->report;
	uint64_t suppressed;

	note_unread_signals(server, now_us);
	if (signals->stops > 0 || signals->quit)
		obey_stop(server, now_us);
	if (signals->totals &&
	    throttle_allows(&report->totals, now_us, TOTALS_PAUSE_US, &suppressed)) {
		struct totals totals = supervisor_totals(server);

		report_totals(report, &totals, server->processes.started,
			      supervisor_sources(server));
	}
	signals->totals = false;
	if (signals->ignored)
		report_signal_ignored(report, now_us);
	signals->ignored = false;
}

static void keep_spares(struct prong *server, int64_t now_us)
{
	dispatch_start_spares(&server->dispatch, server->loop.quiet, now_us);
	dispatch_stop_spares(&server->dispatch, now_us);
}

/*
 * Enforces the timeouts of sessions, of processes told to end, of a stop, and the
 * model's own.
 */
static void enforce_deadlines(struct prong *server, int64_t now_us)
{
	const struct serving *serving = &server->dispatch.serving;
	int64_t heard_us = server->loop.heard_us;

	deadlines_enforce(&server->deadlines, heard_us);
	if (stop_deadline(&server->stop) <= heard_us)
		stop_enforce(&server->stop, count_sessions(server), heard_us);
	if (serving->model->tick != NULL)
		serving->model->tick(serving->self, heard_us, now_us);
	linger_expire(&server->lingering, heard_us);
}

/* The loop flushes the log before it sleeps; this only wakes it up. */
static void on_log(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	(void)owner, (void)index, (void)events, (void)now_us;
}

/* Writes the log; while its reader is stuck, waits for it together with all else. */
static void flush_log(struct prong *server)
{
	struct log *log = &server->report.log;
	int waits_for;

	log_flush(log);
	waits_for = log_waits_for(log);
	if (waits_for == server->log_watched)
		return;
	if (server->log_watched >= 0)
		loop_remove(&server->loop, server->log_watched);
	server->log_watch.ready = on_log;
	if (waits_for >= 0 &&
	    loop_add(&server->loop, waits_for, EPOLLOUT, &server->log_watch) < 0)
		waits_for = -1;
	server->log_watched = waits_for;
}

static int64_t next_deadline(const struct prong *server)
{
	const struct serving *serving = &server->dispatch.serving;
	int64_t deadlines[] = {
		admission_deadline(&server->admission),
		dispatch_deadline(&server->dispatch),
		reaper_deadline(&server->reaper),
		deadlines_next(&server->deadlines),
		stop_deadline(&server->stop),
		linger_deadline(&server->lingering),
		serving->model->deadline != NULL
			? serving->model->deadline(serving->self)
			: CLOCK_NEVER,
		server->report.log.retry_at_us,
	};

	return clock_first(deadlines, sizeof(deadlines) / sizeof(deadlines[0]));
}

/* Sleeps until the nearest deadline or an event. It may fail, but not for ever. */
static int wait_for_events(struct prong *server, int64_t now_us)
{
	int err;

	admission_settle(&server->admission, now_us);
	flush_log(server);
	err = loop_wait(&server->loop, next_deadline(server));
	if (err == 0) {
		server->failed_waits = 0;
		return 0;
	}
	report_events_failed(&server->report, "epoll_wait", -err, now_us);
	loop_stall(&server->loop);
	return ++server->failed_waits < FAILED_WAITS_MOST ? 0 : err;
}

/* Nothing is left to wait for, or what is left cannot be ended. */
static bool has_stopped(struct prong *server, int64_t now_us)
{
	if (stop_is_complete(&server->stop))
		return true;
	if (now_us < server->stop.leave_at_us)
		return false;
	departures_leave(&server->departures, now_us);
	return true;
}

/* The supervisor's whole life. Each line is one function; one place blocks. */
static int run(void *arg)
{
	struct prong *server = arg;
	int err = 0;

	while (err == 0) {
		int64_t now_us = server->loop.woke_us;

		reaper_collect(&server->reaper, &server->signals.exits, now_us);
		if (has_stopped(server, now_us))
			break;
		obey_signals(server, now_us);
		admission_admit(&server->admission, now_us);
		keep_spares(server, now_us);
		enforce_deadlines(server, now_us);
		err = wait_for_events(server, now_us);
	}
	return err;
}

int supervise(struct prong *server)
{
	return forkcost_call(run, server);
}

void supervisor_end_all(struct prong *server)
{
	const struct serving *serving = &server->dispatch.serving;
	int64_t now_us = clock_now_us();

	stop_at_once(&server->stop, now_us);
	while (!has_stopped(server, now_us)) {
		reaper_wait(&server->reaper);
		now_us = clock_now_us();
		if (serving->model->tick != NULL)
			serving->model->tick(serving->self, now_us, now_us);
	}
}
