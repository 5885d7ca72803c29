#include "leftover.h"

#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <linux/sockios.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/holder.h"
#include "base/tcp_info.h"
#include "linger.h"
#include "users.h"
#include "voice.h"

#define LOOK_US      10000 /* from the end of the program to the second look */
#define LOOK_SHARE   8     /* then 1/8 of the time since that end */
#define ACKS_US      50000 /* for the last bytes to arrive, before a look */
#define AT_ONCE      64
#define COPIES_TRIED 3
#define LOOK_COST    4 /* no other look for this many times as long as one took */

void leftovers_open(struct leftovers *leftovers, struct sessions *sessions,
		    int64_t session_timeout_us)
{
	*leftovers = (struct leftovers){
		.sessions = sessions,
		.session_timeout_us = session_timeout_us,
		.probe = -1,
	};
}

int leftovers_start(struct leftovers *leftovers)
{
	leftovers->probe = epoll_create1(EPOLL_CLOEXEC);
	return leftovers->probe < 0 ? -errno : 0;
}

void leftovers_close(struct leftovers *leftovers)
{
	free(leftovers->at);
	leftovers->at = NULL;
	if (leftovers->probe >= 0)
		close(leftovers->probe);
	leftovers->probe = -1;
}

/* Counts also what processes that the program left behind have sent and received. */
static void end(struct leftovers *leftovers, struct leftover *leftover, int64_t now_us)
{
	leftover->ending.info = &leftover->info;
	voice_end(leftovers->voices, leftover->ending.voice, now_us);
	users_release(leftovers->users, leftover->ending.uid);
	sessions_end(leftovers->sessions, &leftover->client, &leftover->ending, now_us);
	leftovers->count--;
	leftovers->sessions->lingering->pending--;
}

static void count_bytes(struct leftover *leftover)
{
	struct traffic traffic;

	if (tcp_info_read(leftover->client.fd, false, &traffic) < 0)
		return;
	leftover->ending.bytes_in = traffic.in_bytes;
	leftover->ending.bytes_out = traffic.out_bytes;
}

/* Closes the supervisor's copy; other processes keep theirs. */
static void release(struct leftovers *leftovers, struct leftover *leftover,
		    int64_t now_us)
{
	count_bytes(leftover);
	close(leftover->client.fd);
	end(leftovers, leftover, now_us);
}

bool leftover_has_unread(int fd)
{
	int bytes = 0;

	ioctl(fd, SIOCINQ, &bytes);
	return bytes > 0;
}

bool leftover_close_is_harmless(int fd)
{
	struct traffic tcp;

	if (tcp_info_read(fd, false, &tcp) == 0)
		return tcp.closed ||
		       (tcp.unread_bytes == 0 && (!tcp.unsent || tcp.ended));
	return !leftover_has_unread(fd);
}

bool leftovers_take(struct leftovers *leftovers, const struct client *client,
		    const struct ending *ending, bool seen, int64_t now_us)
{
	struct leftover *leftover;
	struct stat status;

	if (leftovers->at == NULL)
		leftovers->at = calloc(LEFTOVER_MAX, sizeof(leftovers->at[0]));
	if (leftovers->at == NULL || fstat(client->fd, &status) < 0)
		return false;
	leftover = &leftovers->at[leftovers->next];
	if (leftover->client.id != 0)
		release(leftovers, leftover, now_us);
	*leftover = (struct leftover){
		.client = *client,
		.ending = *ending,
		.info = *ending->info,
		.inode = status.st_ino,
		.seen = seen,
		.since_us = now_us,
		.look_at_us = now_us,
	};
	leftovers->next = (leftovers->next + 1) % LEFTOVER_MAX;
	leftovers->count++;
	leftovers->sessions->lingering->pending++;
	return true;
}

static int64_t session_deadline(const struct leftovers *leftovers,
				const struct leftover *leftover)
{
	if (leftovers->session_timeout_us == 0)
		return CLOCK_NEVER;
	return leftover->client.accepted_at_us + leftovers->session_timeout_us;
}

/* A session's time is over, whichever process holds its connection. */
static void cut(struct leftovers *leftovers, struct leftover *leftover, int64_t now_us)
{
	shutdown(leftover->client.fd, SHUT_RDWR);
	leftover->ending.reason = REASON_DEADLINE;
	release(leftovers, leftover, now_us);
}

/* No other process holds it, so shutdown(2) does not cut off another one. */
static void let_go(struct leftovers *leftovers, struct leftover *leftover,
		   int64_t now_us)
{
	count_bytes(leftover);
	sessions_let_go(leftovers->sessions, leftover->client.fd, now_us);
	end(leftovers, leftover, now_us);
}

static void judge(struct leftovers *leftovers, struct leftover *leftover, pid_t holder,
		  int64_t now_us)
{
	int64_t pause_us = (now_us - leftover->since_us) / LOOK_SHARE;

	/*
	 * A descriptor may be in transit (unix(7)), above all from a program that only
	 * passes its connection on.
	 */
	unsigned enough = leftover->ending.bytes_out > 0 ? 1 : 2;

	leftover->seen = leftover->seen || holder != 0;
	leftover->unseen = holder == 0 ? leftover->unseen + 1 : 0;
	if (leftover->unseen >= enough) {
		let_go(leftovers, leftover, now_us);
		return;
	}
	/* When the server stops, other processes keep what they hold. */
	if (leftovers->draining && holder != 0 &&
	    leftover_close_is_harmless(leftover->client.fd)) {
		release(leftovers, leftover, now_us);
		return;
	}
	leftover->look_at_us = now_us + (pause_us > LOOK_US ? pause_us : LOOK_US);
}

/* Copies a socket that was closed here, from a process that has it; -1: not found. */
static int copy_from_others(ino_t inode)
{
	struct holding holding = { .inode = inode };
	int fd = -1;

	/*
	 * A process in the middle of fork(2) or execve(2) may not show it for a moment.
	 */
	for (int i = 0; i < COPIES_TRIED && fd < 0; i++)
		if (holders_find(&holding, 1) == 0 && holding.pid != 0)
			fd = holder_copy(holding.pid, inode);
	return fd;
}

bool leftovers_try_close(struct leftovers *leftovers, int *fd)
{
	struct stat status;

	if (fstat(*fd, &status) < 0)
		status.st_ino = 0;
	if (holder_close_last(&leftovers->probe, *fd)) {
		*fd = -1;
		return true;
	}
	*fd = copy_from_others(status.st_ino);
	/* In transit to another process, or not visible: that process keeps it. */
	return *fd < 0;
}

/*
 * Settles what needs no look at all processes. If everything has been read and has
 * arrived, close(2) does no harm. If the last bytes may still arrive, it waits for them.
 * Returns whether there is nothing else to do for now.
 */
static bool settle(struct leftovers *leftovers, struct leftover *leftover,
		   int64_t now_us)
{
	if (leftover->seen)
		return false;
	if (leftover_close_is_harmless(leftover->client.fd)) {
		count_bytes(leftover);
		if (leftovers_try_close(leftovers, &leftover->client.fd))
			end(leftovers, leftover, now_us);
		leftover->seen = true;
		return true;
	}
	if (leftover_has_unread(leftover->client.fd) ||
	    now_us - leftover->since_us >= ACKS_US)
		return false;
	leftover->look_at_us = now_us + LOOK_US;
	return true;
}

/* One look at all processes serves all connections that are due. */
static void look(struct leftovers *leftovers, int64_t now_us)
{
	struct holding holdings[AT_ONCE];
	struct leftover *due[AT_ONCE];
	int64_t began_us = clock_now_us();
	size_t count = 0;

	for (unsigned i = 0; i < LEFTOVER_MAX && count < AT_ONCE; i++) {
		struct leftover *leftover = &leftovers->at[i];

		if (leftover->client.id == 0 || leftover->look_at_us > now_us ||
		    settle(leftovers, leftover, now_us))
			continue;
		due[count] = leftover;
		holdings[count++].inode = leftover->inode;
	}
	if (count == 0)
		return;
	if (holders_find(holdings, count) < 0)
		for (size_t i = 0; i < count; i++)
			holdings[i].pid = 0;
	leftovers->look_us = now_us + LOOK_COST * (clock_now_us() - began_us);
	for (size_t i = 0; i < count; i++)
		judge(leftovers, due[i], holdings[i].pid, now_us);
}

void leftovers_look(struct leftovers *leftovers, int64_t now_us)
{
	if (leftovers->count == 0)
		return;
	for (unsigned i = 0; i < LEFTOVER_MAX; i++) {
		struct leftover *leftover = &leftovers->at[i];

		if (leftover->client.id != 0 &&
		    session_deadline(leftovers, leftover) <= now_us)
			cut(leftovers, leftover, now_us);
	}
	if (leftovers->look_us <= now_us)
		look(leftovers, now_us);
}

int64_t leftovers_deadline(const struct leftovers *leftovers)
{
	int64_t first_us = CLOCK_NEVER;

	if (leftovers->count == 0)
		return CLOCK_NEVER;
	for (unsigned i = 0; i < LEFTOVER_MAX; i++) {
		const struct leftover *leftover = &leftovers->at[i];
		int64_t look_us = leftover->look_at_us > leftovers->look_us
					  ? leftover->look_at_us
					  : leftovers->look_us;
		int64_t end_us = session_deadline(leftovers, leftover);

		if (leftover->client.id == 0)
			continue;
		if (look_us < first_us)
			first_us = look_us;
		if (end_us < first_us)
			first_us = end_us;
	}
	return first_us;
}

void leftovers_drain(struct leftovers *leftovers, int64_t now_us)
{
	leftovers->draining = true;
	if (leftovers->count == 0)
		return;
	for (unsigned i = 0; i < LEFTOVER_MAX; i++)
		leftovers->at[i].look_at_us = now_us;
}

void leftovers_release(struct leftovers *leftovers, int64_t now_us)
{
	if (leftovers->count == 0)
		return;
	for (unsigned i = 0; i < LEFTOVER_MAX; i++)
		if (leftovers->at[i].client.id != 0)
			release(leftovers, &leftovers->at[i], now_us);
}
