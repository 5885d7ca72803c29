/*
 * keep: opens all connections, then makes round trips on them. The next round trip goes
 * to the client that has just finished one, or, at a fixed rate, to the one that has
 * been free longest.
 *
 * Only keep_alone() reads and writes by itself, since with one connection epoll would
 * be measured rather than the server.
 */
#include "mode.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "connection.h"
#include "nanoclock.h"
#include "run.h"

#define ALONE_BYTES (64 * 1024) /* more could fill all buffers and block both sides */
#define LOOK_UP_MS  100         /* between checks if the run was stopped */

/* How a call can end, besides with an errno. */
#define CLOSED_EARLY (-1)
#define WRONG_BYTES  (-2)

enum stage { STAGE_OPENING, STAGE_ROUNDS };

static void plan_kept(struct run *run)
{
	run->total = run->plan->concurrency;
	run->processes = (size_t)run->plan->concurrency;
	run->rounds_total = run->plan->count;
}

/* The client is free: it goes on at once, or, at a fixed rate, when start_due() says. */
static void next_round(struct run *run, struct client *client, uint64_t now_ns)
{
	if (run->rounds == run->rounds_total) {
		connection_finish(run, client);
	} else if (run->plan->interval_ns > 0) {
		connection_hold(run, client);
	} else {
		run->rounds++;
		connection_exchange(run, client, now_ns);
	}
}

static void exchanged(struct run *run, struct client *client)
{
	uint64_t now_ns = nanoclock_now_ns();

	run->figures->ok++;
	run->figures->moments_ns[MOMENT_ENDED] = now_ns;
	next_round(run, client, now_ns);
}

static void ended(struct run *run, struct client *client)
{
	(void)run;
	(void)client;
}

/* Makes calls on fd block for a limited time, or no longer. */
static int set_blocking(int fd, bool blocking)
{
	struct timeval timeout = { .tv_usec = LOOK_UP_MS * 1000 };

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, blocking ? 0 : O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

/* After a call that failed: 0 to try again, or a positive errno. */
static int judge(const struct run *run, int error, uint64_t begun_ns)
{
	if (error != EAGAIN && error != EINTR)
		return error;
	if (run_stopped(run))
		return ECANCELED;
	return nanoclock_now_ns() - begun_ns < run->plan->timeout_ns ? 0 : ETIMEDOUT;
}

/* Returns 0 or a positive errno. */
static int write_all(struct run *run, struct client *client, const char *bytes,
		     size_t length, uint64_t begun_ns)
{
	while (length > 0) {
		ssize_t written = send(client->fd, bytes, length, MSG_NOSIGNAL);
		int err = written < 0 ? judge(run, errno, begun_ns) : 0;

		if (err != 0)
			return err;
		if (written < 0)
			continue;
		bytes += written;
		length -= (size_t)written;
		client->sent_bytes += (uint64_t)written;
		run->figures->bytes_out += (uint64_t)written;
	}
	return 0;
}

/*
 * Asks for one byte more, so that excess bytes are noticed at once. Returns 0, a
 * positive errno, or one of the two values above.
 */
static int read_all(struct run *run, struct client *client, char *bytes, size_t length,
		    uint64_t begun_ns)
{
	while (length > 0) {
		ssize_t got = read(client->fd, bytes, length + 1);
		int err = got < 0 ? judge(run, errno, begun_ns) : 0;

		if (err != 0)
			return err;
		if (got < 0)
			continue;
		if (got == 0)
			return CLOSED_EARLY;
		run->figures->bytes_in += (uint64_t)got;
		if ((size_t)got > length)
			return WRONG_BYTES;
		bytes += got;
		length -= (size_t)got;
		client->received_bytes += (uint64_t)got;
	}
	return 0;
}

static void fail_alone(struct run *run, struct client *client, int err)
{
	switch (err) {
	case CLOSED_EARLY:
		connection_fail(run, client, FAILURE_CLOSED_EARLY);
		break;
	case WRONG_BYTES:
		connection_fail(run, client, FAILURE_WRONG_BYTES);
		break;
	default:
		connection_fail_errno(run, client, "read or write", err);
		break;
	}
}

/* One timed round trip. Returns false if the connection failed, or must be given up. */
static bool round_alone(struct run *run, struct client *client, size_t length)
{
	struct figures *figures = run->figures;
	uint64_t offset = client->received_bytes;
	const char *bytes =
		pattern_fill(run->out, client->seed, client->sent_bytes, length);
	char *place = pattern_place(run->in, offset);
	uint64_t begun_ns = nanoclock_now_ns();
	int err = write_all(run, client, bytes, length, begun_ns);

	if (err == 0)
		err = read_all(run, client, place, length, begun_ns);
	figures->moments_ns[MOMENT_ENDED] = nanoclock_now_ns();
	if (err == ECANCELED)
		return false;
	if (err == 0 && !pattern_matches(run->in, client->seed, offset, length))
		err = WRONG_BYTES;
	if (err != 0) {
		fail_alone(run, client, err);
		return false;
	}
	histogram_add(&figures->parts[PART_ROUND],
		      figures->moments_ns[MOMENT_ENDED] - begun_ns);
	figures->ok++;
	return true;
}

static bool time_is_over(const struct run *run)
{
	return run->stop_at_ns > 0 &&
	       run->figures->moments_ns[MOMENT_ENDED] >= run->stop_at_ns;
}

static void keep_alone(struct run *run, struct client *client)
{
	size_t length = (size_t)run->plan->bytes;
	int err = set_blocking(client->fd, true);

	while (err == 0 && run->rounds < run->rounds_total && !time_is_over(run) &&
	       !run_stopped(run)) {
		run->rounds++;
		if (!round_alone(run, client, length))
			break;
	}
	if (client->step == STEP_IDLE || run_stopped(run))
		return;
	client->goal_bytes = client->received_bytes;
	if (err == 0)
		err = set_blocking(client->fd, false);
	if (err == 0)
		connection_finish(run, client);
	else
		connection_fail_errno(run, client, "setsockopt", -err);
}

/* After the last round has begun, clients that are free are no longer needed. */
static void start_due(struct run *run)
{
	uint64_t now_ns = nanoclock_now_ns();

	while (run->rounds < run->rounds_total && run->held.first &&
	       run_due_ns(run, run->rounds) <= now_ns)
		connection_exchange(run, run->held.first,
				    run_due_ns(run, run->rounds++));
	if (run->rounds == run->rounds_total)
		while (run->held.first)
			connection_finish(run, run->held.first);
	else if (run->held.first)
		run_set_timer(run, run_due_ns(run, run->rounds));
}

static void start_rounds(struct run *run)
{
	bool alone = run->processes == 1 && run->plan->bytes <= ALONE_BYTES;

	if (run->plan->interval_ns > 0) {
		start_due(run);
		return;
	}
	while (run->held.first && !run_stopped(run)) {
		if (alone)
			keep_alone(run, run->held.first);
		else
			next_round(run, run->held.first, nanoclock_now_ns());
	}
}

static void start_kept(struct run *run)
{
	if (run->stage == STAGE_ROUNDS) {
		start_rounds(run);
		return;
	}
	connection_open_some(run, run->plan->under_way);
	if (!run_all_held(run))
		return;
	run->stage = STAGE_ROUNDS;
	run_opened(run);
}

/* Clients in a round end when it does; free ones end in start_due(). */
static void over(struct run *run)
{
	run->rounds_total = run->rounds;
}

const struct mode mode_keep = {
	.name = "keep",
	.units = "round trips",
	.takes = MODE_TAKES_RATE | MODE_TAKES_COUNT,
	.concurrency = 1,
	.rate_concurrency = 16,
	.bytes = 64,
	.count = 10000,
	.parts = MODE_TIMES(PART_CONNECT) | MODE_TIMES(PART_ROUND),
	.gates = 2,
	.plan = plan_kept,
	.start = start_kept,
	.exchanged = exchanged,
	.ended = ended,
	.over = over,
};
