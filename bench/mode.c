/*
 * Owns what each kind of load does and when; the table of modes is at the end.
 * Reads and writes on its own only in keep_alone(), where epoll would be measured
 * rather than the server.
 */
#include "mode.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/timerfd.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define ALONE_BYTES (64 * 1024) /* more at once might fill all buffers and block both */
#define RATE_SLOTS  10000       /* connections at once in rate, without -c */

static void for_each(struct run *run, enum step step,
		     void (*act)(struct run *run, struct client *client))
{
	for (size_t i = 0; i < run->slots; i++)
		if (run->clients[i].step == step)
			act(run, &run->clients[i]);
}

/* Begin connections until limit of them are in other steps than idle and held. */
static void open_some(struct run *run, size_t limit)
{
	while (run->started < run->total && run->idle &&
	       run_active(run) - run->in_step[STEP_HELD] < limit)
		client_open(run, run_clock());
}

static bool all_held(const struct run *run)
{
	return run->started == run->total && run_active(run) == run->in_step[STEP_HELD];
}

static void exchange(struct run *run, struct client *client)
{
	client_exchange(run, client, run->options->bytes);
}

static void count_connection(struct run *run, struct client *client)
{
	histogram_add(&run->parts[PART_WHOLE], run_clock() - client->begun);
	run->ok++;
}

/* churn: one connection after the other, some at once */

static void churn_plan(struct run *run)
{
	const struct options *options = run->options;

	run->total = options->count;
	run->slots = options->connections < options->count ? options->connections
							   : options->count;
}

static void churn_start(struct run *run)
{
	open_some(run, run->slots);
}

/* stream, hold, keep: each connection once */

static void once_plan(struct run *run)
{
	run->total = run->options->connections;
	run->slots = run->options->connections;
}

/* keep: when all are open, round trips, the next one to whoever has finished one */

enum keep_stage { KEEP_OPENING, KEEP_ROUNDS };

static void keep_next(struct run *run, struct client *client)
{
	if (run->rounds == run->options->count) {
		client_finish(run, client);
		return;
	}
	run->rounds++;
	exchange(run, client);
}

static void keep_exchanged(struct run *run, struct client *client)
{
	if (++run->ok == run->options->count)
		run->clock_stop = run_clock();
	keep_next(run, client);
}

static void keep_ended(struct run *run, struct client *client)
{
	(void)run;
	(void)client;
}

/* Make calls on fd block, each for the timeout at most; or not any more. */
static int set_blocking(const struct run *run, int fd, bool blocking)
{
	struct timeval timeout = {
		.tv_sec = (time_t)(run->timeout / 1000000000),
		.tv_usec = (suseconds_t)(run->timeout / 1000 % 1000000),
	};

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout)) < 0)
		return -errno;
	if (fcntl(fd, F_SETFL, blocking ? 0 : O_NONBLOCK) < 0)
		return -errno;
	return 0;
}

static int write_all(struct client *client, const char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t written = write(client->fd, bytes, length);

		if (written < 0 && errno != EINTR)
			return errno == EAGAIN ? ETIMEDOUT : errno;
		if (written < 0)
			continue;
		bytes += written;
		length -= (size_t)written;
		client->sent += (uint64_t)written;
	}
	return 0;
}

/* Returns 0 or a positive errno; an early end of file is -1. */
static int read_all(struct client *client, char *bytes, size_t length)
{
	while (length > 0) {
		ssize_t got = read(client->fd, bytes, length);

		if (got == 0)
			return -1;
		if (got < 0 && errno != EINTR)
			return errno == EAGAIN ? ETIMEDOUT : errno;
		if (got < 0)
			continue;
		bytes += got;
		length -= (size_t)got;
		client->received += (uint64_t)got;
	}
	return 0;
}

/* One timed round trip. Returns false if the connection failed; it is counted. */
static bool round_alone(struct run *run, struct client *client, size_t length)
{
	uint64_t offset = client->received;
	const char *bytes = pattern_fill(run->out, client->seed, client->sent, length);
	char *place = pattern_place(run->in, offset);
	uint64_t begun = run_clock();
	int err = write_all(client, bytes, length);

	if (err == 0)
		err = read_all(client, place, length);
	if (err == -1)
		client_fail(run, client, FAILURE_CLOSED_EARLY);
	else if (err != 0)
		client_fail_errno(run, client, "read or write", err);
	else if (!pattern_matches(run->in, client->seed, offset, length))
		client_fail(run, client, FAILURE_WRONG_BYTES);
	else
		histogram_add(&run->parts[PART_ROUND], run_clock() - begun);
	return client->step != STEP_IDLE;
}

static void keep_alone(struct run *run, struct client *client)
{
	size_t length = (size_t)run->options->bytes;
	uint64_t sent = client->sent;
	uint64_t received = client->received;
	int err = set_blocking(run, client->fd, true);

	while (err == 0 && run->rounds < run->options->count) {
		run->rounds++;
		if (!round_alone(run, client, length))
			break;
		run->ok++;
	}
	run->bytes_out += client->sent - sent;
	run->bytes_in += client->received - received;
	run->clock_stop = run_clock();
	if (client->step == STEP_IDLE)
		return;
	client->goal = client->received;
	if (err == 0)
		err = set_blocking(run, client->fd, false);
	if (err == 0)
		client_finish(run, client);
	else
		client_fail_errno(run, client, "setsockopt", -err);
}

static void keep_start(struct run *run)
{
	bool alone = run->slots == 1 && run->options->bytes <= ALONE_BYTES;

	if (run->stage != KEEP_OPENING)
		return;
	open_some(run, RUN_UNDER_WAY);
	if (!all_held(run))
		return;
	run->stage = KEEP_ROUNDS;
	run->clock_start = run_clock();
	for_each(run, STEP_HELD, alone ? keep_alone : keep_next);
}

/* hold: all open at once, an echo when opened and one when all are */

enum hold_stage { HOLD_OPENING, HOLD_ECHOING, HOLD_WAITING, HOLD_CLOSING };

/* Print how many are held, and go on at a line or end of file on stdin. */
static void hold_pause(struct run *run)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = NULL };

	printf("held %zu\n", run->in_step[STEP_HELD]);
	fflush(stdout);
	if (epoll_ctl(run->epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) == 0)
		run->paused = true;
	/* Else stdin is a file or closed, which is ready at once. */
}

static void hold_woken(struct run *run)
{
	char line[256];
	ssize_t length = read(STDIN_FILENO, line, sizeof(line));

	if (length < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (length > 0 && !memchr(line, '\n', (size_t)length))
		return;
	epoll_ctl(run->epoll_fd, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
	run->paused = false;
}

static void hold_start(struct run *run)
{
	open_some(run, RUN_UNDER_WAY);
	while (all_held(run) && !run->paused && run->stage != HOLD_CLOSING) {
		switch ((enum hold_stage)run->stage) {
		case HOLD_OPENING:
			run->stage = HOLD_ECHOING;
			for_each(run, STEP_HELD, exchange);
			break;
		case HOLD_ECHOING:
			run->stage = HOLD_WAITING;
			if (run->options->wait)
				hold_pause(run);
			break;
		case HOLD_WAITING:
			run->stage = HOLD_CLOSING;
			for_each(run, STEP_HELD, client_finish);
			break;
		case HOLD_CLOSING:
			break;
		}
	}
}

/* rate: a connection whenever one is due, however the earlier ones fare */

static void rate_plan(struct run *run)
{
	const struct options *options = run->options;

	run->total = (uint64_t)(options->rate * options->duration + 0.5);
	run->slots = options->connections ? options->connections : RATE_SLOTS;
	if (run->slots > run->total)
		run->slots = run->total;
}

static uint64_t rate_due(const struct run *run)
{
	double after = (double)run->started * 1e9 / run->options->rate;

	return run->clock_start + (uint64_t)after;
}

/* If all clients are busy the next is late, and what it waits counts as latency. */
static void rate_start(struct run *run)
{
	struct itimerspec when = { 0 };
	uint64_t now = run_clock();
	uint64_t due;

	while (run->started < run->total && run->idle && rate_due(run) <= now)
		client_open(run, rate_due(run));
	due = rate_due(run);
	if (run->started == run->total || !run->idle || run->armed == due)
		return;
	run->armed = due;
	when.it_value.tv_sec = (time_t)(due / 1000000000);
	when.it_value.tv_nsec = (long)(due % 1000000000);
	timerfd_settime(run->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

#define TIMES(part) (1U << (part))

static const struct mode modes[] = {
	{
		.name = "churn",
		.summary = "connect, echo, half-close, wait for the end; then the next",
		.letters = "ncs",
		.defaults = { .count = 10000, .connections = 16, .bytes = 64 },
		.parts = TIMES(PART_CONNECT) | TIMES(PART_FIRST) | TIMES(PART_WHOLE),
		.talks_at_once = true,
		.plan = churn_plan,
		.start = churn_start,
		.exchanged = client_finish,
		.ended = count_connection,
	},
	{
		.name = "keep",
		.summary = "round trips on kept connections, one outstanding on each",
		.letters = "ncs",
		.defaults = { .count = 10000, .connections = 1, .bytes = 64 },
		.parts = TIMES(PART_CONNECT) | TIMES(PART_ROUND),
		.plan = once_plan,
		.start = keep_start,
		.exchanged = keep_exchanged,
		.ended = keep_ended,
	},
	{
		.name = "hold",
		.summary = "open all, echo on each, hold, echo again, close",
		.letters = "csw",
		.defaults = { .connections = 100, .bytes = 64 },
		.parts = TIMES(PART_CONNECT) | TIMES(PART_FIRST) | TIMES(PART_ROUND),
		.talks_at_once = true,
		.plan = once_plan,
		.start = hold_start,
		.exchanged = client_hold,
		.ended = count_connection,
		.woken = hold_woken,
	},
	{
		.name = "stream",
		.summary = "bulk in both directions at once, every byte verified",
		.letters = "cb",
		.defaults = { .connections = 1, .bytes = 64 << 20 },
		.parts = TIMES(PART_CONNECT) | TIMES(PART_FIRST) | TIMES(PART_WHOLE),
		.talks_at_once = true,
		.shuts_when_sent = true,
		.plan = once_plan,
		.start = churn_start,
		.exchanged = client_finish,
		.ended = count_connection,
	},
	{
		.name = "rate",
		.summary = "connections at a fixed rate, timed from when each was due",
		.letters = "rdcs",
		.defaults = { .rate = 100, .duration = 5, .bytes = 64 },
		.parts = TIMES(PART_CONNECT) | TIMES(PART_FIRST) | TIMES(PART_WHOLE),
		.talks_at_once = true,
		.plan = rate_plan,
		.start = rate_start,
		.exchanged = client_finish,
		.ended = count_connection,
	},
};

const struct mode *mode_at(size_t index)
{
	return index < sizeof(modes) / sizeof(modes[0]) ? &modes[index] : NULL;
}

const struct mode *mode_find(const char *name)
{
	for (size_t i = 0; mode_at(i); i++)
		if (strcmp(modes[i].name, name) == 0)
			return &modes[i];
	return NULL;
}
