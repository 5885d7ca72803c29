#include "conn.h"

#include <sys/ioctl.h>

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/call.h"
#include "base/clock.h"
#include "base/tcp_info.h"

#define LOOKS     8 /* for a slow reader, within each idle timeout */
#define TALKATIVE 4 /* calls of prong_recv() after which more are expected */

/*
 * Bytes that the client has not acknowledged yet; the number falls while a slow reader
 * reads.
 */
static int unsent(const struct prong_conn *conn)
{
	int bytes = 0;

	ioctl(conn->fd, SIOCOUTQ, &bytes);
	return bytes;
}

static int64_t earlier(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

/*
 * Waits until the connection is ready for events. Returns 0, or -ETIMEDOUT after a
 * deadline. poll(2) reports a connection as writable only when much of its buffer is
 * free. So a client that reads slowly is checked for in between: as long as it reads,
 * it is not idle.
 */
static int wait_ready(struct prong_conn *conn, short events)
{
	struct pollfd ready = { .fd = conn->fd, .events = events };
	int64_t now_us = clock_now_us();
	int64_t idle_end_us = conn->idle_timeout_us > 0 ? now_us + conn->idle_timeout_us
							: CLOCK_NEVER;
	int64_t look_us = events == POLLOUT ? conn->idle_timeout_us / LOOKS
					    : conn->idle_timeout_us;
	int before = unsent(conn);

	for (;;) {
		int64_t until_us = earlier(idle_end_us, conn->deadline_us);
		int64_t pause_us =
			look_us > 0 ? earlier(until_us, now_us + look_us) : until_us;
		int n = poll(&ready, 1, clock_timeout_ms(pause_us, now_us));
		int left;

		if (n > 0)
			return 0;
		if (n < 0 && errno != EINTR)
			return -errno;
		now_us = clock_now_us();
		left = unsent(conn);
		if (left < before && conn->idle_timeout_us > 0)
			idle_end_us = now_us + conn->idle_timeout_us;
		before = left;
		/*
		 * The wait may have been interrupted, or the process stopped for an
		 * hour: looks once more before it judges.
		 */
		if (n == 0 && now_us >= earlier(idle_end_us, conn->deadline_us))
			break;
	}
	conn->timed_out = now_us >= conn->deadline_us ? REASON_DEADLINE : REASON_IDLE;
	return -ETIMEDOUT;
}

/* Without deadlines the call itself may block: one system call, not three. */
static bool is_timed(const struct prong_conn *conn)
{
	return conn->idle_timeout_us > 0 || conn->deadline_us != CLOCK_NEVER;
}

/* Whether the session's deadline has passed although the client keeps sending. */
static int check_deadline(struct prong_conn *conn)
{
	if (conn->deadline_us == CLOCK_NEVER || clock_now_us() < conn->deadline_us)
		return 0;
	conn->timed_out = REASON_DEADLINE;
	return -ETIMEDOUT;
}

static int lost(struct prong_conn *conn, int err)
{
	conn->lost = true;
	return err;
}

/*
 * In a session of many exchanges the client is often just making its next request, and
 * wants this processor for it. Yielding once, and looking again, saves a sleep and a
 * wake-up. Returns whether this is such a session.
 */
static bool note_request(struct prong_conn *conn)
{
	if (conn->receives == TALKATIVE)
		return true;
	conn->receives++;
	return false;
}

ssize_t prong_recv(struct prong_conn *conn, void *buf, size_t n)
{
	int flags = is_timed(conn) ? MSG_DONTWAIT : 0;
	bool looks_again = note_request(conn);
	int err = check_deadline(conn);

	if (n == 0)
		return err;
	while (err == 0) {
		ssize_t got = CALL(recvfrom, conn->fd, buf, n,
				   looks_again ? MSG_DONTWAIT : flags, NULL, NULL);

		if (got > 0) {
			score_add(&conn->row->bytes_in, (uint64_t)got);
			return got;
		}
		if (got == 0) {
			conn->ended = true;
			return 0;
		}
		if (got == -EAGAIN && looks_again) {
			looks_again = false;
			sched_yield();
		} else if (got == -EAGAIN) {
			err = wait_ready(conn, POLLIN);
		} else if (got != -EINTR) {
			err = lost(conn, (int)got);
		}
	}
	return err;
}

int prong_send(struct prong_conn *conn, const void *buf, size_t n)
{
	int flags = MSG_NOSIGNAL | (is_timed(conn) ? MSG_DONTWAIT : 0);
	const char *rest = buf;
	int err = check_deadline(conn);

	while (err == 0 && n > 0) {
		ssize_t sent = CALL(sendto, conn->fd, rest, n, flags, NULL, 0);

		if (sent >= 0) {
			score_add(&conn->row->bytes_out, (uint64_t)sent);
			rest += sent;
			n -= (size_t)sent;
			err = n > 0 ? check_deadline(conn) : 0;
		} else if (sent == -EAGAIN) {
			err = wait_ready(conn, POLLOUT);
		} else if (sent != -EINTR) {
			err = lost(conn, (int)sent);
		}
	}
	return err;
}

int prong_conn_fd(const struct prong_conn *conn)
{
	/* Callers get a const view; this note belongs to the library alone. */
	((struct prong_conn *)conn)->borrowed = true;
	return conn->fd;
}

const struct sockaddr *prong_conn_peer(const struct prong_conn *conn, socklen_t *length)
{
	if (length != NULL)
		*length = conn->peer.length;
	return &conn->peer.any.sa;
}

uint64_t prong_conn_id(const struct prong_conn *conn)
{
	return conn->id;
}

/* Counts, from TCP's own counters, what a handler moved on the descriptor itself. */
static void count_borrowed(struct prong_conn *conn)
{
	struct traffic traffic;

	if (tcp_info_read(conn->fd, tcp_info_take_error(conn->fd), &traffic) < 0)
		return;
	atomic_store(&conn->row->bytes_in, traffic.in_bytes);
	atomic_store(&conn->row->bytes_out, traffic.out_bytes);
}

/* Receives and discards what arrives. Returns what recv(2) does. */
static ssize_t discard(const struct prong_conn *conn, char *buffer, size_t size)
{
	ssize_t n = recv(conn->fd, buffer, size, MSG_DONTWAIT | MSG_TRUNC);

	/* The next client of this worker must find nothing of this one's data. */
	if (n > 0 && address_family(&conn->peer) == AF_UNIX)
		explicit_bzero(buffer, (size_t)n);
	return n;
}

static void linger(struct prong_conn *conn)
{
	struct pollfd readable = { .fd = conn->fd, .events = POLLIN };
	int64_t until_us = clock_now_us() + conn->linger_us;
	char unread[16384]; /* TCP copies nothing into it (MSG_TRUNC, tcp(7)) */
	size_t total = 0;

	if (until_us > conn->deadline_us)
		until_us = conn->deadline_us;
	if (shutdown(conn->fd, SHUT_WR) < 0)
		return;
	while (total < conn->linger_bytes) {
		ssize_t n = discard(conn, unread, sizeof(unread));

		if (n > 0) {
			total += (size_t)n;
			continue;
		}
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			return;
		if (clock_now_us() >= until_us)
			return;
		poll(&readable, 1, clock_timeout_ms(until_us, clock_now_us()));
	}
}

/* What is known of the connection outweighs what the handler returns. */
static enum reason judge(const struct prong_conn *conn, int result)
{
	if (conn->timed_out != REASON_NONE)
		return conn->timed_out;
	if (conn->lost || result == -EPIPE || result == -ECONNRESET)
		return REASON_RESET;
	if (result != 0)
		return REASON_FAILED;
	return conn->ended ? REASON_EOF : REASON_DONE;
}

enum reason conn_finish(struct prong_conn *conn, int result)
{
	enum reason reason = judge(conn, result);

	if (conn->borrowed)
		count_borrowed(conn);
	/*
	 * After the client's end has been read, no unread input can cut off the reply.
	 */
	if (!conn->ended && !conn->lost && conn->timed_out == REASON_NONE)
		linger(conn);
	CALL(close, conn->fd);
	conn->fd = -1;
	return reason;
}
