#include "admission.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/gate.h"
#include "notify.h"
#include "dispatch.h"
#include "report.h"
#include "server.h"
#include "autoscale.h"

#define ACCEPTS_AT_ONCE  16      /* before the loop looks at exits and signals again */
#define REFUSAL_PATIENCE 1000000 /* for a refused client to read why; microseconds */
#define LIMIT_CALM       1000000 /* below the limit so long: it is left; microseconds */

void admission_ended(struct prong *server, struct client *client, enum reason reason,
		     int64_t now)
{
	server->totals.closed[reason]++;
	policy_leave(&server->policy, client, now);
}

static bool refuses_at_limit(const struct prong *server)
{
	return server->settings.at_limit == PRONG_REFUSE;
}

/*
 * Whether something can be done with a client: serve it, or tell it to go. Where workers
 * accept for themselves, only who is left in the queue at the stop is ours.
 */
static bool could_take(const struct prong *server)
{
	if (server->tallies != NULL && !server->stop.asked)
		return false;
	return server->admission.held.id == 0 &&
	       (refuses_at_limit(server) || dispatch_has_room(server));
}

static bool may_accept(const struct prong *server, int64_t now)
{
	return could_take(server) && !backoff_waits(&server->admission.accept, now);
}

/* A fresh connection's send buffer holds any text that is sensible here. */
static void say_refusal(const struct prong *server, int fd)
{
	const char *text = server->settings.refusal_text;

	if (text != NULL)
		send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* With nothing to linger for, close(2) sends RST: tcp(7), SO_LINGER in socket(7). */
static void end_refused(const struct prong *server, int fd)
{
	struct linger none = { .l_onoff = 1, .l_linger = 0 };

	if (server->settings.refusal == PRONG_REFUSAL_RESET)
		setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof(none));
	close(fd);
}

static void refuse(struct prong *server, struct client *client, enum reason reason,
		   int64_t now)
{
	report_refused(server, client, reason, now);
	admission_ended(server, client, reason, now);
	if (server->settings.refusal_text != NULL) {
		say_refusal(server, client->fd);
		linger_start(server, client->fd, REFUSAL_PATIENCE, now);
		return;
	}
	end_refused(server, client->fd);
}

/* Places the client, or by policy refuses it or holds it until that is possible. */
static void place_or_hold(struct prong *server, struct client *client, int64_t now)
{
	if (dispatch_has_room(server) && dispatch_place(server, client, now) == 0)
		return;
	if (refuses_at_limit(server))
		refuse(server, client, REASON_REFUSED_FORK, now);
	else
		server->admission.held = *client;
}

/* The checks, in the order that prongd(8) gives. */
static enum reason judge(const struct prong *server, const struct client *client,
			 int64_t now)
{
	enum reason reason = policy_judge(&server->policy, client, now);

	if (reason == REASON_NONE && refuses_at_limit(server) &&
	    !dispatch_has_room(server))
		reason = REASON_REFUSED_FULL;
	return reason;
}

static void admit(struct prong *server, struct client *client, int64_t now)
{
	enum reason reason = judge(server, client, now);

	if (reason != REASON_NONE) {
		refuse(server, client, reason, now);
		return;
	}
	policy_enter(&server->policy, client, now);
	place_or_hold(server, client, now);
}

static void retry_held(struct prong *server, int64_t now)
{
	struct client client = server->admission.held;

	server->admission.held.id = 0;
	place_or_hold(server, &client, now);
}

bool admission_is_clients_error(int error)
{
	switch (error) {
	case EINTR:
	case ECONNABORTED:
	case EPERM: /* a firewall rule */
	case EPROTO:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EHOSTUNREACH:
	case EOPNOTSUPP:
	case ENETUNREACH:
	case ETIMEDOUT:
	case ECONNRESET:
		return true;
	default:
		return false;
	}
}

/* Takes the next client off the queue; fd is a negative errno if there is none. */
static struct client accept_client(struct prong *server, int listener, int64_t now)
{
	struct client client = { .accepted_at = now, .source = SOURCE_NONE };

	client.peer.length = sizeof(client.peer.any);
	/* Nobody there is no news, and errno on a page that a fork has shared. */
	client.fd = (int)GATE(accept4, listener, &client.peer.any, &client.peer.length,
			      SOCK_CLOEXEC);
	if (client.fd < 0)
		return client;
	if (client.peer.length > sizeof(client.peer.any))
		client.peer.length = sizeof(client.peer.any);
	address_normalize(&client.peer);
	client.id = ++server->totals.accepted;
	report_connect(server, &client);
	return client;
}

/*
 * Out of descriptors: where clients are to be refused rather than wait, the reserve
 * makes room to tell one so. Otherwise the kernel's queue keeps them.
 */
static void refuse_with_reserve(struct prong *server, int listener, int64_t now)
{
	struct client client;

	if (!refuses_at_limit(server))
		return;
	if (server->reserve_fd >= 0)
		close(server->reserve_fd);
	client = accept_client(server, listener, now);
	if (client.fd >= 0) {
		enum reason reason = judge(server, &client, now);

		if (reason == REASON_NONE)
			reason = REASON_REFUSED_DESCRIPTORS;
		report_refused(server, &client, reason, now);
		admission_ended(server, &client, reason, now);
		say_refusal(server, client.fd);
		end_refused(server, client.fd);
	}
	server->reserve_fd = fcntl(server->null_fd, F_DUPFD_CLOEXEC, 0);
}

/* Our failure, not a client's: accepting pauses, and says so. */
static void pause_accepting(struct prong *server, int error, int64_t now)
{
	backoff_failed(&server->admission.accept, now);
	report_accept_failed(server, error, now);
}

/* Returns whether another client may be waiting. */
static bool accept_failed(struct prong *server, int listener, int error, int64_t now)
{
	if (error == EAGAIN)
		return false;
	server->admission.error = error;
	if (admission_is_clients_error(error))
		return true;
	/* Who is leaving already must not keep out who comes. */
	if ((error == EMFILE || error == ENFILE) && linger_cut_short(server))
		return true;
	if (error == EMFILE || error == ENFILE)
		refuse_with_reserve(server, listener, now);
	pause_accepting(server, error, now);
	return false;
}

/* Accepts one client of listener; returns whether another may be waiting. */
static bool accept_next(struct prong *server, struct listener *listener, int64_t now)
{
	struct client client = accept_client(server, listener->fd, now);

	if (client.fd < 0)
		return accept_failed(server, listener->fd, -client.fd, now);
	backoff_succeeded(&server->admission.accept);
	admit(server, &client, now);
	return true;
}

/* At the stop: everyone who was queued has been served, so the listener can go. */
static void close_drained(struct prong *server, struct listener *listener)
{
	if (server->admission.polled)
		server_unwatch(server, listener->fd);
	if (server->tallies != NULL) /* workers wait in accept(2), and have copies */
		GATE(shutdown, listener->fd, SHUT_RDWR);
	listener_close(listener);
}

/*
 * At the stop workers empty the queue too, perhaps while there is no slot for us to take
 * anybody. Their exits wake the loop, which then finds the queue empty.
 */
static bool workers_have_drained(const struct prong *server,
				 const struct listener *listener)
{
	return server->tallies != NULL && listener_queue_is_empty(listener);
}

static void admit_from(struct prong *server, struct listener *listener)
{
	uint64_t before = server->totals.accepted;
	int64_t now = clock_now();

	if (server->stop.asked && workers_have_drained(server, listener)) {
		close_drained(server, listener);
		return;
	}
	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		if (!may_accept(server, now))
			return;
		if (accept_next(server, listener, now)) {
			if (!server->stop.asked || listener_took_one(listener))
				continue;
			close_drained(server, listener);
			return;
		}
		if (server->stop.asked && listener_queue_is_empty(listener))
			close_drained(server, listener);
		return;
	}
	/* There may be more; but where not one of so many came, it is not the clients. */
	if (server->totals.accepted == before)
		pause_accepting(server, server->admission.error, now);
	else
		server->admission.ready = true;
}

void admit_waiting(struct prong *server)
{
	struct admission *admission = &server->admission;

	if (admission->held.id != 0 && dispatch_has_room(server))
		retry_held(server, clock_now());
	if (!admission->ready && !server->stop.asked)
		return;
	admission->ready = false;
	for (unsigned i = 0; i < server->listener_count; i++)
		if (server->listeners[i].fd >= 0)
			admit_from(server, &server->listeners[i]);
}

static int watch_listeners(struct prong *server)
{
	int err = 0;

	for (unsigned i = 0; i < server->listener_count && err == 0; i++)
		if (server->listeners[i].fd >= 0)
			err = server_watch(server, server->listeners[i].fd, EPOLLIN,
					   WATCH_LISTENER, i);
	return err;
}

static void unwatch_listeners(struct prong *server)
{
	for (unsigned i = 0; i < server->listener_count; i++)
		if (server->listeners[i].fd >= 0)
			server_unwatch(server, server->listeners[i].fd);
}

static void poll_listeners(struct prong *server, bool polled, int64_t now)
{
	int err = 0;

	if (server->admission.polled == polled)
		return;
	if (polled)
		err = watch_listeners(server);
	if (!polled || err < 0)
		unwatch_listeners(server);
	if (err < 0)
		pause_accepting(server, -err, now);
	server->admission.polled = polled && err == 0;
}

/*
 * The limit comes and goes with every connection when there is much to do, so it
 * is left only after some calm: two lines in the log, not thousands.
 */
static void note_limit(struct prong *server, bool full, int64_t now)
{
	struct limit *limit = &server->admission.limit;

	if (full && !limit->full) {
		if (limit->since == 0) {
			limit->since = now;
			limit->times = 0;
			report_limit_reached(server);
			notify_full(server);
		}
		limit->times++;
		limit->left_at = CLOCK_NEVER;
	}
	if (!full && limit->full)
		limit->left_at = now + LIMIT_CALM;
	limit->full = full;
	if (limit->left_at > now)
		return;
	report_limit_left(server, now - LIMIT_CALM);
	notify_serving(server);
	limit->left_at = CLOCK_NEVER;
	limit->since = 0;
}

void admission_settle(struct prong *server)
{
	bool full = server->tallies != NULL ? server->autoscale.full
					    : !dispatch_has_room(server);
	int64_t now = clock_now();

	poll_listeners(server, may_accept(server, now), now);
	if (!server->stop.asked)
		note_limit(server, full, now);
}

int64_t admission_deadline(const struct prong *server)
{
	const struct admission *admission = &server->admission;
	int64_t deadline = admission->limit.left_at;

	if (admission->ready)
		return 0;
	/* Not polled although a client could be taken: accepting pauses. */
	if (!admission->polled && could_take(server) &&
	    admission->accept.until < deadline)
		deadline = admission->accept.until;
	if (admission->held.id != 0 && dispatch_has_room(server) &&
	    server->dispatch.fork.until < deadline)
		deadline = server->dispatch.fork.until;
	return deadline;
}

/* Whoever accepts from now on finds a client at once, or leaves; so do we. */
static void drain(struct prong *server, struct listener *listener)
{
	listener_refuse_new(listener);
	if (server->tallies != NULL && listener_set_blocking(listener, false) < 0)
		close_drained(server, listener); /* rather than wait there for ever */
}

void admission_drain(struct prong *server)
{
	autoscale_stop(server);
	server->admission.limit.left_at = CLOCK_NEVER; /* no more is said of it */
	for (unsigned i = 0; i < server->listener_count; i++)
		drain(server, &server->listeners[i]);
}

void admission_close(struct prong *server)
{
	struct client *held = &server->admission.held;

	for (unsigned i = 0; i < server->listener_count; i++)
		if (server->listeners[i].fd >= 0)
			close_drained(server, &server->listeners[i]);
	if (held->id != 0) {
		admission_ended(server, held, REASON_STOPPED, clock_now());
		close(held->fd);
		held->id = 0;
	}
}

bool admission_is_over(const struct prong *server)
{
	for (unsigned i = 0; i < server->listener_count; i++)
		if (server->listeners[i].fd >= 0)
			return false;
	return server->admission.held.id == 0;
}
