/*
 * Owns what happens to one connection, and counts its end exactly once. The purpose of
 * a connection is decided by the mode.
 */
#include "connection.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "mode.h"
#include "nanoclock.h"
#include "target.h"

#define SEGMENT 1400 /* a write up to this size is one segment: no TCP_NODELAY needed */

static void set_step(struct run *run, struct client *client, enum step step)
{
	if (client->step == STEP_HELD)
		chain_remove(&run->held, client);
	run->in_step[client->step]--;
	client->step = step;
	run->in_step[step]++;
	if (step == STEP_HELD)
		chain_append(&run->held, client);
}

static void release(struct run *run, struct client *client)
{
	if (client->fd >= 0)
		close(client->fd);
	client->fd = -1;
	run_clear_deadline(run, client);
	set_step(run, client, STEP_IDLE);
	client->after = run->idle;
	run->idle = client;
}

void connection_fail(struct run *run, struct client *client, int failure)
{
	assert(client->step != STEP_IDLE);
	run->figures->failures[failure]++;
	release(run, client);
}

/* Notes the cause of the first "other" failure, which that word alone does not tell. */
static void explain(struct figures *figures, const char *call, int err)
{
	if (figures->other_error != 0)
		return;
	strncpy(figures->other_call, call, sizeof(figures->other_call) - 1);
	figures->other_error = err;
}

void connection_fail_errno(struct run *run, struct client *client, const char *what,
			   int err)
{
	int failure = FAILURE_OTHER;

	if (err == ECONNREFUSED)
		failure = FAILURE_REFUSED;
	else if (err == ECONNRESET || err == EPIPE)
		failure = FAILURE_RESET;
	else if (err == ETIMEDOUT)
		failure = FAILURE_TIMED_OUT;
	else
		explain(run->figures, what, err);
	connection_fail(run, client, failure);
}

/* Tells epoll which events the client waits for. Returns false if the client failed. */
static bool set_interest(struct run *run, struct client *client, uint32_t interest)
{
	struct epoll_event event = { .events = interest, .data.ptr = client };
	int op = client->interest == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;

	if (client->interest == interest)
		return true;
	if (epoll_ctl(run->epoll_fd, op, client->fd, &event) < 0) {
		connection_fail_errno(run, client, "epoll_ctl", errno);
		return false;
	}
	client->interest = interest;
	return true;
}

static bool half_close(struct run *run, struct client *client)
{
	if (client->half_closed)
		return true;
	client->half_closed = true;
	if (shutdown(client->fd, SHUT_WR) == 0)
		return true;
	/* Not connected any more: the server's reset arrived between two calls. */
	connection_fail_errno(run, client, "shutdown",
			      errno == ENOTCONN ? ECONNRESET : errno);
	return false;
}

/*
 * Notes that it is connected. Returns false if it is connected to itself, and has
 * failed.
 */
static bool note_connected(struct run *run, struct client *client, uint64_t now_ns)
{
	if (target_is_self(&run->plan->target, client->fd)) {
		connection_fail(run, client, FAILURE_REFUSED);
		return false;
	}
	histogram_add(&run->figures->parts[PART_CONNECT], now_ns - client->begun_ns);
	set_step(run, client, STEP_TALK);
	return true;
}

/* The kernel took this many bytes, so the connection is established. */
static void note_sent(struct run *run, struct client *client, uint64_t bytes)
{
	uint64_t now_ns = nanoclock_now_ns();

	if (client->step == STEP_CONNECT && !note_connected(run, client, now_ns))
		return;
	client->sent_bytes += bytes;
	run->figures->bytes_out += bytes;
	run_set_deadline(run, client, now_ns);
	if (client->sent_bytes < client->goal_bytes) {
		set_interest(run, client, EPOLLIN | EPOLLOUT);
		return;
	}
	if (run->mode->shuts_when_sent && !half_close(run, client))
		return;
	set_interest(run, client, EPOLLIN);
}

/*
 * Sends once. While connect(2) is in progress this also tests whether it has succeeded;
 * on loopback it nearly always has, and a trip through epoll is saved.
 */
static void push(struct run *run, struct client *client)
{
	uint64_t left_bytes = client->goal_bytes - client->sent_bytes;
	size_t length = left_bytes < RUN_BUFFER ? (size_t)left_bytes : RUN_BUFFER;
	const char *bytes =
		pattern_fill(run->out, client->seed, client->sent_bytes, length);
	ssize_t sent;

	do
		sent = send(client->fd, bytes, length, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 && errno == EAGAIN) {
		uint32_t also = client->step == STEP_CONNECT ? 0 : EPOLLIN;

		/* A client that was held has no deadline yet. */
		if (client->deadline_ns == 0)
			run_set_deadline(run, client, nanoclock_now_ns());
		set_interest(run, client, also | EPOLLOUT);
		return;
	}
	if (sent < 0) {
		connection_fail_errno(run, client, "send", errno);
		return;
	}
	note_sent(run, client, (uint64_t)sent);
}

/* The connection is established: sends if there is something to send, or waits. */
static void connected(struct run *run, struct client *client)
{
	if (!note_connected(run, client, nanoclock_now_ns()))
		return;
	if (client->goal_bytes > 0)
		push(run, client);
	else if (set_interest(run, client, EPOLLIN))
		connection_hold(run, client);
}

static void begin_connect(struct run *run, struct client *client)
{
	int err = target_connect(&run->plan->target, client->fd);

	if (err == 0) {
		connected(run, client);
	} else if (err == -EINPROGRESS) {
		set_step(run, client, STEP_CONNECT);
		if (run->mode->talks_at_once)
			push(run, client);
		else
			set_interest(run, client, EPOLLOUT);
	} else if (err == -EAGAIN && address_family(&run->plan->target) == AF_UNIX) {
		set_step(run, client, STEP_KNOCK);
	} else {
		connection_fail_errno(run, client, "connect", -err);
	}
}

void connection_open(struct run *run, uint64_t begun_ns)
{
	struct client *client = run->idle;
	int fd;

	run->idle = client->after;
	run->budget--;
	*client = (struct client){
		.fd = -1,
		.step = STEP_IDLE,
		.seed = run->started++ * run->plan->workers + run->plan->index + 1,
		.goal_bytes = run->mode->talks_at_once ? run->plan->bytes : 0,
		.begun_ns = begun_ns,
	};
	set_step(run, client, STEP_CONNECT);
	run_set_deadline(run, client, nanoclock_now_ns());
	fd = target_socket(&run->plan->target, &run->origin,
			   run->plan->bytes > SEGMENT);
	if (fd < 0) {
		connection_fail_errno(run, client, "socket", -fd);
		return;
	}
	client->fd = fd;
	begin_connect(run, client);
}

void connection_open_some(struct run *run, uint64_t limit)
{
	while (run_can_begin(run) && run_active(run) - run->in_step[STEP_HELD] < limit)
		connection_open(run, nanoclock_now_ns());
}

bool connection_knock(struct run *run, struct client *client)
{
	if (client->step == STEP_KNOCK)
		begin_connect(run, client);
	return client->step != STEP_KNOCK;
}

void connection_exchange(struct run *run, struct client *client, uint64_t begun_ns)
{
	client->goal_bytes += run->plan->bytes;
	client->round_ns = begun_ns;
	set_step(run, client, STEP_TALK);
	push(run, client);
}

void connection_hold(struct run *run, struct client *client)
{
	run_clear_deadline(run, client);
	set_step(run, client, STEP_HELD);
}

/*
 * A connection that has sent nothing yet sends one byte, the least that can be echoed.
 */
void connection_cut(struct run *run, struct client *client)
{
	if (client->step == STEP_IDLE || client->sent_bytes == client->goal_bytes)
		return;
	client->goal_bytes = client->sent_bytes > 0 ? client->sent_bytes : 1;
	if (client->sent_bytes < client->goal_bytes || !half_close(run, client))
		return;
	if (client->received_bytes == client->goal_bytes)
		run->mode->exchanged(run, client);
	else
		set_interest(run, client, EPOLLIN);
}

void connection_finish(struct run *run, struct client *client)
{
	set_step(run, client, STEP_FINISH);
	if (!half_close(run, client))
		return;
	run_set_deadline(run, client, nanoclock_now_ns());
}

void connection_count(struct run *run, struct client *client)
{
	struct figures *figures = run->figures;

	histogram_add(&figures->parts[PART_WHOLE],
		      nanoclock_now_ns() - client->begun_ns);
	figures->ok++;
}

static void take_end_of_file(struct run *run, struct client *client)
{
	if (client->step != STEP_FINISH) {
		connection_fail(run, client, FAILURE_CLOSED_EARLY);
		return;
	}
	run->mode->ended(run, client);
	release(run, client);
}

/* length bytes have been read to their place in run->in. */
static void take_bytes(struct run *run, struct client *client, size_t length)
{
	uint64_t now_ns = nanoclock_now_ns();

	run->figures->bytes_in += length;
	if (length > client->sent_bytes - client->received_bytes ||
	    !pattern_matches(run->in, client->seed, client->received_bytes, length)) {
		connection_fail(run, client, FAILURE_WRONG_BYTES);
		return;
	}
	if (client->received_bytes == 0)
		histogram_add(&run->figures->parts[PART_FIRST],
			      now_ns - client->begun_ns);
	client->received_bytes += length;
	run_set_deadline(run, client, now_ns);
	if (client->received_bytes < client->goal_bytes)
		return;
	if (client->round_ns > 0)
		histogram_add(&run->figures->parts[PART_ROUND],
			      now_ns - client->round_ns);
	run->mode->exchanged(run, client);
}

/* Receives once; epoll is level-triggered, and reports what is left. */
static void pull(struct run *run, struct client *client)
{
	char *place = pattern_place(run->in, client->received_bytes);
	ssize_t length;

	do
		length = recv(client->fd, place, RUN_BUFFER, 0);
	while (length < 0 && errno == EINTR);
	if (length > 0)
		take_bytes(run, client, (size_t)length);
	else if (length == 0)
		take_end_of_file(run, client);
	else if (errno != EAGAIN)
		connection_fail_errno(run, client, "recv", errno);
}

static void finish_connect(struct run *run, struct client *client)
{
	int err = 0;
	socklen_t length = sizeof(err);

	if (getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &err, &length) < 0)
		err = errno;
	if (err != 0)
		connection_fail_errno(run, client, "connect", err);
	else
		connected(run, client);
}

void connection_event(struct run *run, struct client *client, uint32_t events)
{
	if (client->step == STEP_CONNECT) {
		finish_connect(run, client);
		return;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		pull(run, client);
	if ((events & EPOLLOUT) && client->step == STEP_TALK &&
	    client->sent_bytes < client->goal_bytes)
		push(run, client);
}
