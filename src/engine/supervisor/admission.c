#include "admission.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
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

/* Whether a client that is accepted now can be served or refused. */
static bool could_take(const struct admission *admission)
{
	return admission->accepts && admission->held.id == 0 &&
	       (refuses_at_limit(admission) || dispatch_has_room(admission->dispatch));
}

static bool may_accept(const struct admission *admission, int64_t now_us)
{
	return could_take(admission) && !backoff_waits(&admission->accept, now_us);
}

/*
 * Dispatches the client; if that is impossible, refuses or holds it, as the policy
 * says.
 */
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

/* Takes the next client from the queue. Returns 0 or a negative errno of accept(2). */
static int accept_client(struct admission *admission, const struct listener *listener,
			 struct client *client, int64_t now_us)
{
	*client = (struct client){ .accepted_at_us = now_us, .source = SOURCE_NONE };
	client->peer.length = sizeof(client->peer.any);
	/*
	 * Through the gate, since accept(2) would set errno for an empty queue, on a
	 * page that a fork has shared.
	 */
	client->fd = (int)GATE(accept4, listener->fd, &client->peer.any,
			       &client->peer.length, SOCK_CLOEXEC);
	if (client->fd < 0)
		return client->fd;
	address_normalize(&client->peer);
	sessions_accepted(admission->sessions, client);
	return 0;
}

/*
 * No descriptor is free. If clients are to be refused rather than wait, the reserve is
 * closed so that one can be accepted and told so. Otherwise they stay in the kernel's
 * queue.
 */
static void refuse_with_reserve(struct admission *admission, unsigned index,
				int64_t now_us)
{
	struct client client;

	if (!refuses_at_limit(admission))
		return;
	if (admission->reserve_fd >= 0)
		close(admission->reserve_fd);
	if (accept_client(admission, &admission->listeners[index], &client, now_us) ==
	    0) {
		enum reason reason = judge(admission, &client, now_us);

		turns_pass(&admission->turns, index);
		if (reason == REASON_NONE)
			reason = REASON_REFUSED_DESCRIPTORS;
		sessions_refuse(admission->sessions, &client, reason, true, now_us);
	}
	admission->reserve_fd = fcntl(admission->null_fd, F_DUPFD_CLOEXEC, 0);
}

/* The failure is our own, not a client's: pauses accepting, and logs it. */
static void pause_accepting(struct admission *admission, int error, int64_t now_us)
{
	backoff_failed(&admission->accept, now_us);
	report_accept_failed(admission->report, error, now_us);
}

/* Only this listener fails; clients of the others need not wait. */
static void pause_listener(struct admission *admission, unsigned index, int error,
			   int64_t now_us)
{
	backoff_failed(&admission->retries[index], now_us);
	admission->failing |= turns_bit(index);
	turns_drop(&admission->turns, index);
	report_accept_failed(admission->report, error, now_us);
}

/*
 * At the stop: without a free descriptor accept(2) cannot tell that the queue is empty.
 */
static bool give_up_reserve(struct admission *admission)
{
	if (admission->reserve_fd < 0)
		return false;
	close(admission->reserve_fd);
	admission->reserve_fd = -1;
	return true;
}

static void unwatch(struct admission *admission, unsigned index)
{
	if ((admission->watched & turns_bit(index)) == 0)
		return;
	loop_remove(admission->loop, admission->listeners[index].fd);
	admission->watched &= ~turns_bit(index);
}

/*
 * At the stop: every client in the queue has been taken, so the listener can be closed.
 */
static void close_listener(struct admission *admission, unsigned index)
{
	unwatch(admission, index);
	turns_drop(&admission->turns, index);
	handshakes_drop(&admission->handshakes, index);
	admission->open &= ~turns_bit(index);
	listener_close(&admission->listeners[index]);
}

bool admission_is_over(const struct admission *admission)
{
	return admission->held.id == 0 && admission->open == 0;
}

/* No descriptor is free. Returns whether one could be freed. */
static bool find_descriptor(struct admission *admission,
			    const struct listener *listener)
{
	if (listener->shut && give_up_reserve(admission))
		return true;
	/* Do not refuse a new client to keep a lingering connection open. */
	return sessions_make_room(admission->sessions);
}

/*
 * If a listener could not give its client because something was missing, it keeps its
 * turn.
 */
static void accept_failed(struct admission *admission, unsigned index, int error,
			  int64_t now_us)
{
	const struct listener *listener = &admission->listeners[index];
	bool descriptors = error == EMFILE || error == ENFILE;

	if (error == EAGAIN)
		turns_drop(&admission->turns, index);
	/* EINVAL: it no longer listens, and the clients in its queue are lost. */
	if ((error == EAGAIN && listener->shut) ||
	    (error == EINVAL && admission->draining))
		close_listener(admission, index);
	if (error == EAGAIN || listener->fd < 0)
		return;
	admission->error = error;
	if (descriptors && find_descriptor(admission, listener))
		return;
	if (descriptors)
		refuse_with_reserve(admission, index, now_us);
	else if (error != ENOBUFS && error != ENOMEM)
		turns_pass(&admission->turns, index);
	if (accept_error_is_clients(error))
		return;
	if (descriptors || error == ENOBUFS || error == ENOMEM)
		pause_accepting(admission, error, now_us);
	else
		pause_listener(admission, index, error, now_us);
}

/* Accepts a client from one listener. Returns 0 or a negative errno of accept(2). */
static int take_turn(struct admission *admission, unsigned index, int64_t now_us)
{
	struct listener *listener = &admission->listeners[index];
	struct client client;
	int err = accept_client(admission, listener, &client, now_us);

	if (err < 0) {
		accept_failed(admission, index, -err, now_us);
		return err;
	}
	turns_pass(&admission->turns, index);
	backoff_succeeded(&admission->accept);
	backoff_succeeded(&admission->retries[index]);
	admit(admission, &client, now_us);
	if (admission->draining && !listener_took_one(listener))
		close_listener(admission, index);
	return 0;
}

/* Accepts a batch from all listeners, after which there may be more. */
static void admit_batch(struct admission *admission, int64_t now_us)
{
	struct turns *turns = &admission->turns;
	unsigned clients = 0, failures = 0, index = 0;

	while (turns->waiting != 0 && may_accept(admission, now_us) &&
	       clients + failures < ACCEPTS_AT_ONCE) {
		int err;

		index = turns_first(turns);
		err = take_turn(admission, index, now_us);
		clients += err == 0;
		failures += err < 0 && err != -EAGAIN;
	}
	/* If all attempts failed, the clients are not the cause. */
	if (failures == ACCEPTS_AT_ONCE)
		pause_listener(admission, index, admission->error, now_us);
	/*
	 * When clients can be accepted again, the loop reports which listeners have
	 * some.
	 */
	if (turns->waiting != 0 && !may_accept(admission, now_us))
		turns->waiting = 0;
}

/*
 * During the drain, workers that accept for themselves also empty the queue, perhaps
 * while no slot is free here. Their exits wake the loop.
 */
static void close_empty_listeners(struct admission *admission)
{
	for (unsigned i = 0; i < admission->listener_count; i++) {
		const struct listener *listener = &admission->listeners[i];

		if (listener->fd >= 0 && !handshakes_go_on(&admission->handshakes, i) &&
		    listener_queue_is_empty(listener))
			close_listener(admission, i);
	}
}

void admission_admit(struct admission *admission, int64_t now_us)
{
	if (admission->held.id != 0 && dispatch_has_room(admission->dispatch))
		retry_held(admission, now_us);
	if (!admission->draining) {
		if (admission->turns.waiting != 0)
			admit_batch(admission, now_us);
		return;
	}
	handshakes_look(&admission->handshakes, admission->listeners, now_us);
	close_empty_listeners(admission);
	admission->turns.waiting = admission->open & ~admission->failing;
	admit_batch(admission, now_us);
	close_empty_listeners(admission);
	if (admission_is_over(admission))
		dispatch_finish(admission->dispatch);
}

static void on_client(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct admission *admission = owner;

	(void)events, (void)now_us;
	if ((admission->watched & turns_bit(index)) != 0)
		admission->turns.waiting |= turns_bit(index);
}

static int watch(struct admission *admission, unsigned index)
{
	int err;

	admission->watches[index] = (struct watch){ on_client, admission, index };
	err = loop_add(admission->loop, admission->listeners[index].fd, EPOLLIN,
		       &admission->watches[index]);
	if (err == 0)
		admission->watched |= turns_bit(index);
	return err;
}

/* Watches the wanted listeners, and no others. */
static void settle_watches(struct admission *admission, uint64_t wanted, int64_t now_us)
{
	int err = 0;

	if (admission->watched == wanted)
		return;
	for (unsigned i = 0; i < admission->listener_count && err == 0; i++)
		if ((wanted & ~admission->watched & turns_bit(i)) != 0)
			err = watch(admission, i);
	if (err < 0) {
		pause_accepting(admission, -err, now_us);
		wanted = 0;
	}
	for (unsigned i = 0; i < admission->listener_count; i++)
		if ((wanted & turns_bit(i)) == 0)
			unwatch(admission, i);
}

/* Tries again the listeners whose pause is over. */
static void end_pauses(struct admission *admission, int64_t now_us)
{
	for (uint64_t left = admission->failing; left != 0; left &= left - 1) {
		unsigned index = (unsigned)__builtin_ctzll(left);

		if (!backoff_waits(&admission->retries[index], now_us))
			admission->failing &= ~turns_bit(index);
	}
}

void admission_settle(struct admission *admission, int64_t now_us)
{
	const struct dispatch *dispatch = admission->dispatch;

	end_pauses(admission, now_us);
	settle_watches(admission,
		       may_accept(admission, now_us)
			       ? admission->open & ~admission->failing
			       : 0,
		       now_us);
	if (!admission->draining)
		saturation_note(&admission->saturation, admission->report,
				dispatch_is_full(dispatch), dispatch->processes->max,
				!refuses_at_limit(admission), now_us);
}

/* Whether every listener is watched, except those that fail by themselves. */
static bool is_watched(const struct admission *admission)
{
	return (admission->open & ~admission->failing & ~admission->watched) == 0;
}

int64_t admission_deadline(const struct admission *admission)
{
	int64_t deadline_us = saturation_deadline(&admission->saturation);

	if (admission->turns.waiting != 0)
		return 0;
	if (handshakes_deadline(&admission->handshakes) < deadline_us)
		deadline_us = handshakes_deadline(&admission->handshakes);
	/* Not watched although a client could be accepted: accepting pauses. */
	if (!is_watched(admission) && could_take(admission) &&
	    admission->accept.until_us < deadline_us)
		deadline_us = admission->accept.until_us;
	for (uint64_t left = admission->failing; left != 0; left &= left - 1) {
		unsigned index = (unsigned)__builtin_ctzll(left);

		if (admission->retries[index].until_us < deadline_us)
			deadline_us = admission->retries[index].until_us;
	}
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
			/* It would otherwise wait in accept(2) for ever. */
			close_listener(admission, i);
	handshakes_begin(&admission->handshakes, admission->listeners,
			 admission->listener_count, now_us);
}

void admission_close(struct admission *admission, int64_t now_us)
{
	struct client *held = &admission->held;

	for (unsigned i = 0; i < admission->listener_count; i++)
		close_listener(admission, i);
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
	admission->open = admission->watched = admission->failing = 0;
	admission->turns = (struct turns){ 0 };
	admission->draining = false;
	handshakes_open(&admission->handshakes);
	admission->accepts = true;
	admission->held = (struct client){ .fd = -1 };
	admission->accept = (struct backoff){ 0 };
	memset(admission->retries, 0, sizeof(admission->retries));
	admission->error = 0;
	saturation_open(&admission->saturation);
	admission->reserve_fd = -1;
}

int admission_start(struct admission *admission)
{
	for (unsigned i = 0; i < admission->listener_count; i++)
		admission->open |= turns_bit(i);
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
