#include "worker.h"

#include <sys/socket.h>

#include <stdbool.h>
#include <unistd.h>

#include "accepting.h"
#include "child.h"
#include "base/call.h"
#include "base/clock.h"
#include "base/pass.h"
#include "conn.h"
#include "engine/confine/privileges.h"
#include "engine/record/completion.h"
#include "engine/record/handover.h"

#define EXIT_AS_TOLD 0 /* nothing left to report: its end was asked for */

/* Marks the row, so that the supervisor knows where to look when SIGCHLD comes. */
static _Noreturn void leave(const struct worker *worker, int status)
{
	score_leave(worker->mark);
	call_exit(status);
}

/* Takes a connection from the listener; does not return once that is shut. */
static void accept_client(const struct worker *worker, pid_t own, struct client *client)
{
	int n = accepting_take(worker->listener, own, worker->tally, client);

	if (n < 0)
		privileges_leave(worker->row,
				 &(struct privileges_failure){ PRIVILEGES_ACCEPT, -n });
	if (n == 0)
		leave(worker, EXIT_AS_TOLD);
}

/* Waits for a connection from the supervisor; does not return if none comes. */
static void await_client(const struct worker *worker, struct client *client)
{
	struct handover handover;
	int n = pass_receive(worker->channel, &handover, sizeof(handover), &client->fd);

	if (n < 0)
		privileges_leave(worker->row, &(struct privileges_failure){
						      PRIVILEGES_RECEIVE, -n });
	if (n == 0)
		leave(worker, EXIT_AS_TOLD);
	client->id = handover.session;
	client->accepted_at_us = handover.accepted_at_us;
	client->peer = handover.peer;
}

static enum reason serve(const struct worker *worker)
{
	const struct settings *settings = &worker->settings;
	const struct client *client = &worker->client;
	struct prong_conn conn = {
		.fd = client->fd,
		.id = client->id,
		.peer = client->peer,
		.row = worker->row,
		.idle_timeout_us = settings->idle_timeout_us,
		.deadline_us = CLOCK_NEVER,
		.linger_us = settings->linger_us,
		.linger_bytes = settings->linger_bytes,
	};

	if (settings->session_timeout_us > 0)
		conn.deadline_us =
			client->accepted_at_us + settings->session_timeout_us;
	return conn_finish(&conn, worker->handler(&conn, worker->arg));
}

/*
 * Reports that the worker is free again; a failure means that the supervisor is gone.
 */
static void report(const struct worker *worker, uint64_t session, enum reason reason)
{
	struct completion completion = { .session = session, .reason = reason };

	if (send(worker->channel, &completion, sizeof(completion), MSG_NOSIGNAL) < 0)
		leave(worker, reason_exit_status(reason));
}

/* Exits if the step has failed; the supervisor logs which step it was. */
static void must(const struct worker *worker, enum privileges_step step, int err)
{
	if (err < 0)
		privileges_leave(worker->row,
				 &(struct privileges_failure){ step, -err });
}

/* Prepares the process to serve: its privileges, and its descriptors and no others. */
static void prepare(const struct worker *worker)
{
	const int keep[] = {
		worker->listener >= 0 ? worker->listener : worker->channel,
		worker->client.id != 0 ? worker->client.fd : -1,
	};
	int first = worker->sandbox.on ? 0 : worker->settings.keep_fds;
	struct privileges_failure failure;

	must(worker, worker->session ? PRIVILEGES_SETSID : PRIVILEGES_SETPGID,
	     child_detach(worker->supervisor, worker->session));
	child_reset_signals();
	if (first > 0)
		must(worker, PRIVILEGES_TERMINAL,
		     child_shut_terminals(0, first < 3 ? first - 1 : 2));
	if (privileges_take(worker->privileges, worker->supervisor, &failure) < 0 ||
	    sandbox_confine(&worker->sandbox, worker->row, &failure) < 0)
		privileges_leave(worker->row, &failure);
	must(worker, PRIVILEGES_CLOSE_RANGE, child_close_others(first, keep, 2));
}

/* Serves one connection after the other from the listener. */
static _Noreturn void serve_accepted(struct worker *worker)
{
	unsigned reuse = worker->settings.reuse;
	pid_t own = getpid();

	for (unsigned served = 0; served < reuse || reuse == PRONG_REUSE_ALWAYS;
	     served++) {
		accept_client(worker, own, &worker->client);
		accepting_ended(worker->tally, worker->row, serve(worker));
		if (atomic_load(&worker->tally->retires))
			break;
	}
	leave(worker, EXIT_AS_TOLD);
}

/* Serves the client for which it was forked, if any, then others from the channel. */
static _Noreturn void serve_given(struct worker *worker)
{
	const struct settings *settings = &worker->settings;

	for (unsigned served = 1;; served++) {
		bool last = settings->reuse != PRONG_REUSE_ALWAYS &&
			    served >= settings->reuse;
		enum reason reason;

		if (worker->client.id == 0)
			await_client(worker, &worker->client);
		if (last && worker->channel >= 0)
			CALL(close, worker->channel);
		reason = serve(worker);
		if (last || worker->channel < 0)
			leave(worker, reason_exit_status(reason));
		report(worker, worker->client.id, reason);
		worker->client.id = 0;
	}
}

_Noreturn void worker_main(struct worker *worker)
{
	prepare(worker);
	if (worker->listener >= 0)
		serve_accepted(worker);
	serve_given(worker);
}
