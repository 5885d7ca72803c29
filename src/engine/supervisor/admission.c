#include "admission.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/accept_error.h"
#include "base/clock.h"
#include "base/gate.h"
#include "dispatch.h"
#include "engine/admit/source.h"
#include "report.h"

#define ACCEPTS_AT_ONCE 16 /* before the loop looks at exits and signals again */

static bool refuses_at_limit(const struct admission *admission)
{
	return admission->settings->at_limit == PRONG_REFUSE &&
	       !dispatch_expects_room(admission->dispatch);
}

/* Whether something can be done with a client: serve it, or tell it to go. */
static bool could_take(const struct admission *admission)
{
	return admission->accepts && admission->held.id == 0 &&
	       (refuses_at_limit(admission) || dispatch_has_room(admission->dispatch));
}

static bool may_accept(const struct admission *admission, int64_t now_us)
{
	return could_take(admission) && !backoff_waits(&admission->accept, now_us);
}

/* Dispatches the client, or by policy refuses it or holds it until that is possible. */
static void dispatch_or_hold(struct admission *admission, struct client *client,
			     int64_t now_us)
{
	if (dispatch_has_room(admission->dispatch) &&
	    dispatch_client(admission->dispatch, client, now_us) == 0)
		return;
	if (refuses_at_limit(admission))
		sessions_refuse(admission->sessions, client, REASON_REFUSED_FORK, false,
				now_us);
	else
		admission->held = *client;
}

/* The checks, in the order that prongd(8) gives. */
static enum reason judge(const struct admission *admission, const struct client *client,
			 int64_t now_us)
{
	enum reason reason = sessions_judge(admission->sessions, client, now_us);

	if (reason == REASON_NONE && refuses_at_limit(admission) &&
	    !dispatch_has_room(admission->dispatch))
		reason = REASON_REFUSED_FULL;
	return reason;
}

static void admit(struct admission *admission, struct client *client, int64_t now_us)
{
	enum reason reason = judge(admission, client, now_us);

	if (reason != REASON_NONE) {
		sessions_refuse(admission->sessions, client, reason, false, now_us);
		return;
	}
	sessions_admit(admission->sessions, client, now_us);
	dispatch_or_hold(admission, client, now_us);
}

static void retry_held(struct admission *admission, int64_t now_us)
{
	struct client client = admission->held;

	admission->held.id = 0;
	dispatch_or_hold(admission, &client, now_us);
}

/* Takes the next client off the queue. Returns 0 or a negative errno of accept(2). */
static int accept_client(struct admission *admission, const struct listener *listener,
			 struct client *client, int64_t now_us)
{
	*client = (struct client){ .accepted_at_us = now_us, .source = SOURCE_NONE };
	client->peer.length = sizeof(client->peer.any);
	/* An empty queue is no news, and errno on a page that a fork has shared. */
	client->fd = (int)GATE(accept4, listener->fd, &client->peer.any,
			       &client->peer.length, SOCK_CLOEXEC);
	if (client->fd < 0)
		return client->fd;
	if (admission->draining)
		listener_let_hear(listener, client->fd);
	address_normalize(&client->peer);
	sessions_accepted(admission->sessions, client);
	return 0;
}

/*
 * Out of descriptors: where clients are to be refused rather than wait, the reserve
 * makes room to tell one so. Otherwise the kernel's queue keeps them.
 */
static void refuse_with_reserve(struct admission *admission,
				const struct listener *listener, int64_t now_us)
{
	struct client client;

	if (!refuses_at_limit(admission))
		return;
	if (admission->reserve_fd >= 0)
		close(admission->reserve_fd);
	if (accept_client(admission, listener, &client, now_us) == 0) {
		enum reason reason = judge(admission, &client, now_us);

		if (reason == REASON_NONE)
			reason = REASON_REFUSED_DESCRIPTORS;
		sessions_refuse(admission->sessions, &client, reason, true, now_us);
	}
	admission->reserve_fd = fcntl(admission->null_fd, F_DUPFD_CLOEXEC, 0);
}

/* Our failure, not a client's: accepting pauses, and says so. */
static void pause_accepting(struct admission *admission, int error, int64_t now_us)
{
	backoff_failed(&admission->accept, now_us);
	report_accept_failed(admission->report, error, now_us);
}

/* At the stop, where without a descriptor accept(2) cannot tell that the queue is empty. */
static bool give_up_reserve(struct admission *admission)
{
	if (admission->reserve_fd < 0)
		return false;
	close(admission->reserve_fd);
	admission->reserve_fd = -1;
	return true;
}

/* Returns whether another client may be waiting. */
static bool accept_failed(struct admission *admission, const struct listener *listener,
			  int error, int64_t now_us)
{
	bool descriptors = error == EMFILE || error == ENFILE;

	if (error == EAGAIN)
		return false;
	admission->error = error;
	if (accept_error_is_clients(error))
		return true;
	if (descriptors && listener->shut && give_up_reserve(admission))
		return true;
	/* Do not refuse a new client to keep a lingering connection open. */
	if (descriptors && sessions_make_room(admission->sessions))
		return true;
	if (descriptors)
		refuse_with_reserve(admission, listener, now_us);
	pause_accepting(admission, error, now_us);
	return false;
}

static bool has_open_listener(const struct admission *admission)
{
	for (unsigned i = 0; i < admission->listener_count; i++)
		if (admission->listeners[i].fd >= 0)
			return true;
	return false;
}

bool admission_is_over(const struct admission *admission)
{
	return admission->held.id == 0 && !has_open_listener(admission);
}

/* At the stop: every client that was queued has been taken, so the listener can go. */
static void close_listener(struct admission *admission, struct listener *listener)
{
	if (listener->fd >= 0 && admission->watched)
		loop_remove(admission->loop, listener->fd);
	listener_close(listener);
}

/* Accepts from one listener: a batch, after which there may be more. */
static void admit_batch(struct admission *admission, struct listener *listener,
			int64_t now_us)
{
	bool any = false;

	for (int i = 0; i < ACCEPTS_AT_ONCE; i++) {
		struct client client;
		int err;

		if (!may_accept(admission, now_us))
			return;
		err = accept_client(admission, listener, &client, now_us);
		if (err == -EAGAIN && listener->shut) {
			close_listener(admission, listener);
			return;
		}
		if (err < 0) {
			if (!accept_failed(admission, listener, -err, now_us))
				return;
			continue;
		}
		any = true;
		backoff_succeeded(&admission->accept);
		admit(admission, &client, now_us);
		if (admission->draining && !listener_took_one(listener)) {
			close_listener(admission, listener);
			return;
		}
	}
	/* Where not one of so many came, the clients are not the cause. */
	if (any)
		admission->ready = true;
	else
		pause_accepting(admission, admission->error, now_us);
}

/*
 * While it drains, workers that accept for themselves empty the queue, too, perhaps while
 * there is no slot to take a client here; their exits wake the loop.
 */
static void admit_from(struct admission *admission, struct listener *listener,
		       int64_t now_us)
{
	if (!admission->draining || !listener_queue_is_empty(listener))
		admit_batch(admission, listener, now_us);
	if (admission->draining && listener->fd >= 0 &&
	    listener_queue_is_empty(listener))
		close_listener(admission, listener);
}

void admission_admit(struct admission *admission, int64_t now_us)
{
	if (admission->held.id != 0 && dispatch_has_room(admission->dispatch))
		retry_held(admission, now_us);
	if (!admission->ready && !admission->draining)
		return;
	admission->ready = false;
	for (unsigned i = 0; i < admission->listener_count; i++)
		if (admission->listeners[i].fd >= 0)
			admit_from(admission, &admission->listeners[i], now_us);
	if (admission->draining && admission_is_over(admission))
		dispatch_finish(admission->dispatch);
}

static void on_client(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct admission *admission = owner;

	(void)index, (void)events, (void)now_us;
	admission->ready = true;
}

static int watch_listeners(struct admission *admission)
{
	int err = 0;

	for (unsigned i = 0; i < admission->listener_count && err == 0; i++)
		if (admission->listeners[i].fd >= 0)
			err = loop_add(admission->loop, admission->listeners[i].fd,
				       EPOLLIN, &admission->watch);
	return err;
}

static void unwatch_listeners(struct admission *admission)
{
	for (unsigned i = 0; i < admission->listener_count; i++)
		if (admission->listeners[i].fd >= 0)
			loop_remove(admission->loop, admission->listeners[i].fd);
}

static void settle_watch(struct admission *admission, bool watch, int64_t now_us)
{
	int err = 0;

	if (admission->watched == watch)
		return;
	if (watch)
		err = watch_listeners(admission);
	if (!watch || err < 0)
		unwatch_listeners(admission);
	if (err < 0)
		pause_accepting(admission, -err, now_us);
	admission->watched = watch && err == 0;
}

void admission_settle(struct admission *admission, int64_t now_us)
{
	const struct dispatch *dispatch = admission->dispatch;

	settle_watch(admission, may_accept(admission, now_us), now_us);
	if (!admission->draining)
		saturation_note(&admission->saturation, admission->report,
				dispatch_is_full(dispatch), dispatch->processes->max,
				!refuses_at_limit(admission), now_us);
}

int64_t admission_deadline(const struct admission *admission)
{
	int64_t deadline_us = saturation_deadline(&admission->saturation);

	if (admission->ready)
		return 0;
	/* Not watched although a client could be taken: accepting pauses. */
	if (!admission->watched && could_take(admission) &&
	    admission->accept.until_us < deadline_us)
		deadline_us = admission->accept.until_us;
	if (admission->held.id != 0 && dispatch_has_room(admission->dispatch) &&
	    admission->dispatch->fork.until_us < deadline_us)
		deadline_us = admission->dispatch->fork.until_us;
	return deadline_us;
}

void admission_drain(struct admission *admission, int64_t now_us)
{
	dispatch_drain(admission->dispatch, now_us);
	saturation_forget(&admission->saturation);
	admission->draining = true;
	admission->accepts = true;
	for (unsigned i = 0; i < admission->listener_count; i++)
		if (listener_refuse_new(&admission->listeners[i]) < 0)
			/* Rather than wait in accept(2) for ever. */
			close_listener(admission, &admission->listeners[i]);
}

void admission_close(struct admission *admission, int64_t now_us)
{
	struct client *held = &admission->held;

	for (unsigned i = 0; i < admission->listener_count; i++)
		close_listener(admission, &admission->listeners[i]);
	if (held->id != 0) {
		sessions_drop(admission->sessions, held, REASON_STOPPED, now_us);
		close(held->fd);
		held->id = 0;
	}
	dispatch_abandon(admission->dispatch, now_us);
}

void admission_open(struct admission *admission)
{
	admission->listener_count = 0;
	admission->watch = (struct watch){ on_client, admission, 0 };
	admission->watched = admission->ready = admission->draining = false;
	admission->accepts = true;
	admission->held = (struct client){ .fd = -1 };
	admission->accept = (struct backoff){ 0 };
	admission->error = 0;
	saturation_open(&admission->saturation);
	admission->reserve_fd = -1;
}

int admission_start(struct admission *admission)
{
	admission->reserve_fd = fcntl(admission->null_fd, F_DUPFD_CLOEXEC, 0);
	return admission->reserve_fd < 0 ? -errno : 0;
}

void admission_end(struct admission *admission)
{
	if (admission->reserve_fd >= 0)
		close(admission->reserve_fd);
	admission->reserve_fd = -1;
}

void admission_close_listeners(struct admission *admission)
{
	for (unsigned i = 0; i < admission->listener_count; i++)
		listener_close(&admission->listeners[i]);
}
