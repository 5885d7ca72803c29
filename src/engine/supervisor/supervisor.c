/*
 * The supervisor's loop: what it does, in which order, and the one place where it
 * sleeps. Hearing workers is here; all else is called.
 */
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <alloca.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "admission.h"
#include "base/clock.h"
#include "base/rseq.h"
#include "notify.h"
#include "dispatch.h"
#include "reaper.h"
#include "report.h"
#include "server.h"
#include "session.h"
#include "signals.h"
#include "autoscale.h"
#include "stop.h"
#include "engine/worker/worker.h"

#define EVENTS_AT_ONCE 64

int server_watch(struct prong *server, int fd, uint32_t events, enum watch what,
		 unsigned index)
{
	struct epoll_event event = {
		.events = events,
		.data.u64 = (uint64_t)what << 32 | index,
	};

	return epoll_ctl(server->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

/* Always before close(2): a child's copy would keep the registration alive. */
void server_unwatch(struct prong *server, int fd)
{
	epoll_ctl(server->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* A worker that serves several connections says that it is done with one. */
static void hear_worker(struct prong *server, unsigned index)
{
	struct process *process = &server->processes.at[index];
	struct completion completion;
	ssize_t n =
		recv(process->channel, &completion, sizeof(completion), MSG_DONTWAIT);
	int64_t now = clock_now();

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		/*
		 * A worker closes its channel before its last connection. An idle
		 * one is dying: until SIGCHLD tells how, nobody is given to it.
		 */
		dispatch_drop_channel(server, process);
		if (process->state == PROCESS_IDLE)
			dispatch_lost_spare(server, process, now);
		return;
	}
	if (process->client.id == 0 || !reason_is_completion(completion.reason)) {
		stop_kill(server, process); /* no worker of ours says such a thing */
		return;
	}
	connection_ended(server, process, (enum reason)completion.reason, NULL, now);
	if (process->state == PROCESS_BUSY)
		process_set_state(&server->processes, process, PROCESS_IDLE, now);
}

static void dispatch(struct prong *server, const struct epoll_event *event)
{
	unsigned index = (unsigned)event->data.u64;

	switch ((enum watch)(event->data.u64 >> 32)) {
	case WATCH_SIGNALS:
		signals_read(&server->signals);
		break;
	case WATCH_LISTENER:
		server->admission.ready = true;
		break;
	case WATCH_QUEUE:
		autoscale_heard(server);
		break;
	case WATCH_CHANNEL:
		hear_worker(server, index);
		break;
	case WATCH_SESSION:
		session_hangup(server, index);
		break;
	case WATCH_LINGER:
		linger_event(server, index);
		break;
	case WATCH_LOG:
		break; /* the loop flushes it before it sleeps */
	}
}

/* Writes the log out; while its reader is stuck, waits for it along with the rest. */
static void flush_log(struct prong *server)
{
	int waits_for;

	log_flush(&server->log);
	waits_for = log_waits_for(&server->log);
	if (waits_for == server->log_polled)
		return;
	if (server->log_polled >= 0)
		server_unwatch(server, server->log_polled);
	if (waits_for >= 0 &&
	    server_watch(server, waits_for, EPOLLOUT, WATCH_LOG, 0) < 0)
		waits_for = -1;
	server->log_polled = waits_for;
}

static int64_t next_deadline(const struct prong *server)
{
	int64_t deadlines[] = {
		admission_deadline(server), dispatch_deadline(server),
		reaper_deadline(server),    stop_deadline(server),
		autoscale_deadline(server), server->log.retry_at,
	};

	return clock_first(deadlines, sizeof(deadlines) / sizeof(deadlines[0]));
}

/*
 * What was ready when a look began has been heard when a look finds less than it
 * could take, or after as many full ones in a row as there can be descriptors:
 * epoll hands out what is ready in turn.
 */
static void note_look(struct prong *server, int events, int64_t now)
{
	unsigned descriptors =
		server->processes.max + server->listener_count + LINGER_MAX + 2;

	if (server->full_looks == 0)
		server->first_full_look = now;
	if (events == EVENTS_AT_ONCE &&
	    ++server->full_looks < descriptors / EVENTS_AT_ONCE + 1)
		return;
	server->looked_at = server->first_full_look;
	server->full_looks = 0;
}

/* The one place that blocks, until the nearest deadline or an event. */
static int wait_for_events(struct prong *server)
{
	struct epoll_event events[EVENTS_AT_ONCE];
	int64_t now;
	int n;

	admission_settle(server);
	flush_log(server);
	now = clock_now();
	n = epoll_wait(server->epoll_fd, events, EVENTS_AT_ONCE,
		       clock_timeout(next_deadline(server), now));
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	note_look(server, n, now);
	server->calm = n == 0;
	for (int i = 0; i < n; i++)
		dispatch(server, &events[i]);
	return 0;
}

/* The supervisor's whole life. Each line is one function; one place blocks. */
__attribute__((noinline)) static int supervise(struct prong *server)
{
	struct score_row *confined = NULL; /* in a child: its row */
	int err = 0;

	sandbox_place(&confined);
	while (err == 0) {
		reaper_collect(server);
		if (stop_is_complete(server))
			break;
		obey_signals(server);
		admit_waiting(server);
		autoscale_settle(server);
		start_missing_spares(server);
		stop_surplus_spares(server);
		enforce_deadlines(server);
		err = wait_for_events(server); /* sleeps until the nearest deadline */
	}
	sandbox_place(NULL);
	return err;
}

/*
 * After each fork the stack's pages are shared, and the first write to one costs either
 * side a fault. What runs from here on needs less than a page, down to the end of a
 * short exchange in a worker; so it begins at the top of one.
 */
__attribute__((noinline)) static int supervise_from_a_new_page(struct prong *server)
{
	volatile char *rest = alloca((uintptr_t)__builtin_frame_address(0) % 4096 + 1);

	*rest = 0;
	return supervise(server);
}

static void tell_readiness(struct prong *server)
{
	int fd = server->settings.ready_fd;

	if (fd <= 0)
		return;
	for (unsigned i = 0; i < server->listener_count; i++) {
		char line[ADDRESS_TEXT_MAX + 1];
		size_t length;

		address_format(&server->listeners[i].address, line, ADDRESS_TEXT_MAX);
		length = strlen(line);
		line[length++] = '\n';
		/* Whoever asked to be told may have gone; that is no reason not to serve. */
		if (write(fd, line, length) < 0)
			break;
	}
	/* Workers keep the low ones: no socket may come to lie there. */
	if (fd < server->settings.keep_fds)
		dup2(server->null_fd, fd);
	else
		close(fd);
	server->settings.ready_fd = 0;
}

/*
 * In a pool the same few processes wake each other for every connection, and with
 * SCHED_BATCH (sched(7)) who is woken does not preempt who runs: 2.4 context switches
 * a connection instead of 4.1, a third more connections a second on two cores. The
 * price: while other programs want the processor too, a wake-up may wait for the end
 * of their slice. A policy that somebody has chosen is left alone.
 */
static void schedule_as_pool(struct prong *server)
{
	struct sched_param none = { 0 };

	if (server->settings.reuse == 1 || sched_getscheduler(0) != SCHED_OTHER)
		return;
	server->batch = sched_setscheduler(0, SCHED_BATCH, &none) == 0;
}

static void schedule_as_before(const struct prong *server)
{
	struct sched_param none = { 0 };

	if (server->batch)
		sched_setscheduler(0, SCHED_OTHER, &none);
}

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* since Linux 6.16; older headers do not have it */
#endif

/*
 * A client on a UNIX socket could hand its worker what it has open itself (unix(7)), and
 * a worker of root's may do more with that. Connections inherit this; older kernels do
 * not know it.
 */
static void take_no_descriptors(const struct prong *server)
{
	int no = 0;

	for (unsigned i = 0; i < server->listener_count; i++)
		if (address_family(&server->listeners[i].address) == AF_UNIX)
			setsockopt(server->listeners[i].fd, SOL_SOCKET, SO_PASSRIGHTS,
				   &no, sizeof(no));
}

/* From here on, what is not on the sandbox's list goes through its gate. */
static int confine_workers(struct prong *server)
{
	bool landlock = server->sandbox.landlock;
	int err = sandbox_install(&server->sandbox);

	if (err == 0 && server->sandbox.on) {
		signals_keep(&server->signals, SIGSYS);
		take_no_descriptors(server);
	}
	/* It was there when prong_open() tried: less than that would be found out late. */
	if (err == 0 && landlock && !server->sandbox.landlock)
		err = -ENOTSUP;
	return err;
}

static int open_loop(struct prong *server)
{
	int err;

	if (sandbox_is_set()) /* an earlier server's in this process */
		signals_keep(&server->signals, SIGSYS);
	err = signals_take(&server->signals);
	if (err < 0)
		return err;
	server->rseq_ended = rseq_end();
	schedule_as_pool(server);
	if (server->program != NULL && server->program->asked.kill_descendants)
		prctl(PR_SET_CHILD_SUBREAPER, 1);
	server->pid = getpid();
	server->reserve_fd = fcntl(server->null_fd, F_DUPFD_CLOEXEC, 0);
	server->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (server->reserve_fd < 0 || server->epoll_fd < 0)
		return -errno;
	/* Workers cannot do without it: better no server than one that leaks. */
	if (close_range(~0U, ~0U, 0) < 0)
		return -errno;
	if (server->tallies != NULL)
		err = listener_set_blocking(&server->listeners[0], true);
	if (err < 0)
		return err;
	autoscale_start(server);
	err = server_watch(server, server->signals.fd, EPOLLIN, WATCH_SIGNALS, 0);
	return err < 0 ? err : confine_workers(server);
}

static void close_loop(struct prong *server)
{
	linger_close(server);
	schedule_as_before(server);
	if (server->rseq_ended)
		rseq_begin();
	signals_release(&server->signals);
	if (server->epoll_fd >= 0)
		close(server->epoll_fd);
	if (server->reserve_fd >= 0)
		close(server->reserve_fd);
	sandbox_close(&server->sandbox);
	server->epoll_fd = -1;
	server->reserve_fd = -1;
}

int prong_run(struct prong *server)
{
	int err = open_loop(server);

	if (err == 0) {
		report_start(server);
		tell_readiness(server);
		notify_ready(server);
		err = supervise_from_a_new_page(server);
		if (err < 0)
			reaper_end_all(server);
		report_totals(server, "stop");
	}
	log_close(&server->log);
	close_loop(server);
	return err;
}
