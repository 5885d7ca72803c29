#include "race.h"

#include <netinet/tcp.h>

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

#define UNIX_RETRY_MS 20 /* waiting for a full queue is impossible (unix(7), EAGAIN) */

struct attempt {
	int fd;           /* -1: not begun, or failed */
	int64_t retry_us; /* when to call connect(2) again; CLOCK_NEVER: in progress */
};

struct race {
	const struct address_list *to;
	const struct race_rules *rules;
	struct race_result *result;
	struct attempt attempts[ADDRESS_LIST_MAX];
	unsigned begun, running;
	int64_t next_us; /* when to try the next address, if none fails before */
	int last_error;
};

void race_order(struct address_list *list)
{
	struct address_list from = *list;
	bool taken[ADDRESS_LIST_MAX] = { false };
	int family = address_family(&from.at[0]);

	for (unsigned n = 0; n < from.count; n++) {
		unsigned i = 0;

		while (i < from.count &&
		       (taken[i] || address_family(&from.at[i]) != family))
			i++;
		if (i == from.count) /* no addresses of that family are left */
			for (i = 0; taken[i]; i++)
				;
		taken[i] = true;
		list->at[n] = from.at[i];
		family = address_family(&from.at[i]) == AF_INET ? AF_INET6 : AF_INET;
	}
}

static void tell(const struct race *race, unsigned i, int error)
{
	if (race->rules->tell != NULL)
		race->rules->tell(race->rules->owner, &race->to->at[i], error);
}

static void close_attempt(struct race *race, unsigned i)
{
	if (race->attempts[i].fd < 0)
		return;
	close(race->attempts[i].fd);
	race->attempts[i].fd = -1;
	race->running--;
}

/* The next address then need not wait for its time. */
static void fail(struct race *race, unsigned i, int error)
{
	close_attempt(race, i);
	race->result->errors[i] = error;
	race->last_error = error;
	race->next_us = 0;
	tell(race, i, error);
}

/*
 * If no server listens on a port of this host, the kernel may choose that very port as
 * the source, and the socket then talks to itself (RFC 9293, simultaneous open).
 */
static bool is_itself(int fd, const struct address *to)
{
	struct address own = { .length = sizeof(own.any) };

	if (address_family(to) == AF_UNIX)
		return false;
	if (getsockname(fd, &own.any.sa, &own.length) < 0)
		return false;
	return own.length == to->length && memcmp(&own.any, &to->any, own.length) == 0;
}

static void win(struct race *race, unsigned i)
{
	if (is_itself(race->attempts[i].fd, &race->to->at[i])) {
		fail(race, i, -ECONNREFUSED);
		return;
	}
	race->result->fd = race->attempts[i].fd;
	race->result->winner = i;
	race->attempts[i].fd = -1;
	race->running--;
}

static void call_connect(struct race *race, unsigned i, int64_t now_us)
{
	const struct address *to = &race->to->at[i];
	struct attempt *attempt = &race->attempts[i];

	attempt->retry_us = CLOCK_NEVER;
	if (connect(attempt->fd, &to->any.sa, to->length) == 0)
		win(race, i);
	else if (errno == EAGAIN && address_family(to) == AF_UNIX)
		attempt->retry_us = now_us + clock_us_from_ms(UNIX_RETRY_MS);
	else if (errno != EINPROGRESS)
		fail(race, i, -errno);
}

/*
 * connect(2) chooses the source port, so that it may be one that is in use elsewhere.
 */
static int bind_source(int fd, const struct address *source)
{
	int on = 1;

	if (source == NULL)
		return 0;
	setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	return bind(fd, &source->any.sa, source->length) < 0 ? -errno : 0;
}

static int open_socket(int family, const struct race_rules *rules)
{
	int on = 1;
	int err;
	int fd;

	fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (family != AF_UNIX)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (rules->urgent_inline)
		setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on));
	err = bind_source(fd, rules->source);
	if (err < 0) {
		close(fd);
		return err;
	}
	return fd;
}

static void begin_next(struct race *race, int64_t now_us)
{
	unsigned i = race->begun++;
	int fd = open_socket(address_family(&race->to->at[i]), race->rules);

	tell(race, i, 0);
	if (fd < 0) {
		fail(race, i, fd);
		return;
	}
	race->attempts[i].fd = fd;
	race->running++;
	race->next_us = now_us + clock_us_from_ms(RACE_DELAY_MS);
	call_connect(race, i, now_us);
}

static void begin_due(struct race *race, int64_t now_us)
{
	while (race->result->fd < 0 && race->begun < race->to->count &&
	       (race->running == 0 || now_us >= race->next_us))
		begin_next(race, now_us);
}

static void retry_due(struct race *race, int64_t now_us)
{
	for (unsigned i = 0; i < race->begun && race->result->fd < 0; i++)
		if (race->attempts[i].fd >= 0 && race->attempts[i].retry_us <= now_us)
			call_connect(race, i, now_us);
}

static int64_t next_event_us(const struct race *race)
{
	int64_t at_us[ADDRESS_LIST_MAX + 2];
	size_t n = 0;

	at_us[n++] = race->rules->deadline_us;
	if (race->begun < race->to->count)
		at_us[n++] = race->next_us;
	for (unsigned i = 0; i < race->begun; i++)
		if (race->attempts[i].fd >= 0)
			at_us[n++] = race->attempts[i].retry_us;
	return clock_first(at_us, n);
}

/* connect(2) of address i has finished. */
static void settle(struct race *race, unsigned i)
{
	socklen_t length = sizeof(int);
	int error = 0;

	if (getsockopt(race->attempts[i].fd, SOL_SOCKET, SO_ERROR, &error, &length) < 0)
		error = errno;
	if (error != 0)
		fail(race, i, -error);
	else
		win(race, i);
}

/* Waits for the next event and handles it. Returns 0, or -EINTR for a signal. */
static int wait_for_one(struct race *race, int64_t now_us)
{
	struct pollfd ready[ADDRESS_LIST_MAX + 1];
	unsigned n = race->begun;

	for (unsigned i = 0; i < n; i++) {
		bool under_way = race->attempts[i].retry_us == CLOCK_NEVER;

		ready[i] = (struct pollfd){ under_way ? race->attempts[i].fd : -1,
					    POLLOUT, 0 };
	}
	ready[n] = (struct pollfd){ race->rules->interrupts, POLLIN, 0 };
	if (poll(ready, n + 1, clock_timeout_ms(next_event_us(race), now_us)) <= 0)
		return 0;
	if (ready[n].revents != 0)
		return -EINTR;
	for (unsigned i = 0; i < n && race->result->fd < 0; i++)
		if (ready[i].revents != 0)
			settle(race, i);
	return 0;
}

static int give_up_in_time(struct race *race, int64_t now_us)
{
	if (now_us < race->rules->deadline_us)
		return 0;
	for (unsigned i = 0; i < race->begun; i++)
		if (race->attempts[i].fd >= 0)
			fail(race, i, -ETIMEDOUT);
	return -ETIMEDOUT;
}

int race_run(struct race_result *result, const struct address_list *to,
	     const struct race_rules *rules)
{
	struct race race = { .to = to, .rules = rules, .result = result };
	int err = 0;

	*result = (struct race_result){ .fd = -1 };
	for (unsigned i = 0; i < ADDRESS_LIST_MAX; i++)
		race.attempts[i].fd = -1;
	for (;;) {
		int64_t now_us = clock_now_us();

		begin_due(&race, now_us);
		retry_due(&race, now_us);
		if (result->fd >= 0)
			break;
		if (race.running == 0 && race.begun == to->count)
			err = race.last_error;
		else
			err = give_up_in_time(&race, now_us);
		if (err == 0)
			err = wait_for_one(&race, now_us);
		if (err < 0)
			break;
	}
	for (unsigned i = 0; i < race.begun; i++)
		close_attempt(&race, i);
	return err;
}
