#include "prong.h"

#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/outlet.h"
#include "base/why.h"
#include "engine/supervisor/supervisor.h"
#include "engine/supervisor/opening.h"

#define READY_WAIT_US     1000000 /* at most, for the reader of ready_fd */
#define CHILD_DESCRIPTORS 8 /* of a worker: its connection, its channel, a few more */

#ifndef SO_PASSRIGHTS
#define SO_PASSRIGHTS 83 /* since Linux 6.16; older headers lack it */
#endif

/*
 * A client on a UNIX socket could pass descriptors of its own to its worker (unix(7)),
 * and a worker that runs as root may be able to do more with them. Connections inherit
 * this option; older kernels do not know it.
 */
static void take_no_descriptors(const struct admission *admission)
{
	int no = 0;

	for (unsigned i = 0; i < admission->listener_count; i++)
		if (address_family(&admission->listeners[i].address) == AF_UNIX)
			setsockopt(admission->listeners[i].fd, SOL_SOCKET,
				   SO_PASSRIGHTS, &no, sizeof(no));
}

/* From here on, calls that are not on the sandbox's list go through its gate. */
static int confine_workers(struct prong *server, struct why *why)
{
	bool landlock = server->sandbox.landlock;
	int err = sandbox_install(&server->sandbox);

	if (err < 0)
		return why_call(why, err, "confine workers", "seccomp(2)");
	if (server->sandbox.on) {
		signals_keep(&server->signals, SIGSYS);
		take_no_descriptors(&server->admission);
	}
	/*
	 * prong_open() found it; without this check a missing one would be noticed only
	 * later.
	 */
	if (landlock && !server->sandbox.landlock)
		return why_call(why, -ENOTSUP, "confine workers",
				"landlock_create_ruleset(2)");
	return 0;
}

static int start_loop(struct prong *server, struct why *why)
{
	int err = loop_open(&server->loop);

	if (err < 0)
		return why_call(why, err, "wait for events", "epoll_create1(2)");
	err = signals_watch(&server->signals, &server->loop);
	if (err < 0)
		return why_call(why, err, "wait for signals", "epoll_ctl(2)");
	err = admission_start(&server->admission);
	if (err < 0)
		return why_call(why, err, "reserve a descriptor", "fcntl(2)");
	return 0;
}

/*
 * Workers cannot do without this call: no server is better than one that leaks
 * descriptors.
 */
static int check_closing(struct why *why)
{
	if (close_range(~0U, ~0U, 0) == 0)
		return 0;
	return why_call(why, -errno, "close descriptors in workers", "close_range(2)");
}

/*
 * Children return to the soft limit that was found. A sandboxed worker can open nothing
 * and is spared the call, but the limit must still cover the descriptors that workers
 * keep below keep_fds.
 */
static void raise_descriptors(struct prong *server)
{
	rlim_t few = (rlim_t)server->settings.keep_fds + CHILD_DESCRIPTORS;
	rlim_t soft;

	descriptors_raise(&server->descriptors);
	soft = server->descriptors.before;
	if (server->settings.keep_fds > 3 && soft < few)
		soft = few;
	if (server->descriptors.raised && !server->sandbox.on)
		privileges_lower_files(server->privileges, soft);
}

/* The calling process becomes the supervisor. */
static int begin(struct prong *server, struct why *why)
{
	const struct serving *serving = &server->dispatch.serving;
	int err;

	server->log_watched = -1;
	raise_descriptors(server);
	if (sandbox_is_set()) /* set by an earlier server in this process */
		signals_keep(&server->signals, SIGSYS);
	err = signals_take(&server->signals);
	if (err < 0)
		return why_call(why, err, "read signals", "signalfd(2)");
	forkcost_reduce(&server->forkcost, server->settings.reuse != 1);
	err = start_loop(server, why);
	if (err == 0)
		err = check_closing(why);
	if (err < 0)
		return err;
	err = serving->model->run(serving->self, &server->admission.listeners[0],
				  clock_now_us(), why);
	if (err < 0)
		return err;
	err = privileges_open_domain(server->privileges);
	if (err < 0)
		return why_call(why, err, "keep programs apart",
				"landlock_create_ruleset(2)");
	err = confine_workers(server, why);
	privileges_settle(server->privileges);
	return err;
}

static void end(struct prong *server)
{
	linger_finish(&server->lingering);
	forkcost_restore(&server->forkcost);
	signals_release(&server->signals);
	loop_close(&server->loop);
	admission_end(&server->admission);
	sandbox_close(&server->sandbox);
	descriptors_restore(&server->descriptors);
}

static void announce(struct prong *server)
{
	const struct serving *serving = &server->dispatch.serving;
	const struct admission *admission = &server->admission;
	struct shortage shortage;
	struct start start = {
		.pid = getpid(),
		.max_processes = server->processes.max,
		.spare = server->settings.spare,
		.reuse = server->settings.reuse,
	};

	for (unsigned i = 0; i < admission->listener_count; i++)
		opening_listen(&server->report, &admission->listeners[i]);
	serving->model->announce(serving->self, &start);
	if (descriptors_are_short(&server->descriptors, &shortage))
		opening_descriptors_short(&server->report, &shortage,
					  server->processes.max);
	opening_start(&server->report, &start);
	log_flush(&server->report.log); /* before waiting for the reader of ready_fd */
}

/* Returns 0 or a negative errno; -ETIMEDOUT if the reader takes nothing in time. */
static int write_line(struct outlet *outlet, const char *line, size_t length,
		      int64_t deadline_us)
{
	while (length > 0) {
		ssize_t n = outlet_write(outlet, line, length);

		if (n == -EAGAIN && clock_now_us() >= deadline_us)
			return -ETIMEDOUT;
		if (n == -EAGAIN)
			outlet_wait(outlet, deadline_us);
		else if (n < 0)
			return (int)n;
		else
			line += n, length -= (size_t)n;
	}
	return 0;
}

/* If the reader is gone, or takes nothing, the server still serves. */
static void write_addresses(struct prong *server, int fd)
{
	const struct admission *admission = &server->admission;
	int64_t deadline_us = clock_now_us() + READY_WAIT_US;
	struct outlet outlet;
	int err = 0;

	outlet_open(&outlet, fd);
	for (unsigned i = 0; i < admission->listener_count && err == 0; i++) {
		char line[ADDRESS_TEXT_MAX + 1];
		size_t length;

		address_format(&admission->listeners[i].address, line,
			       ADDRESS_TEXT_MAX);
		length = strlen(line);
		line[length++] = '\n';
		err = write_line(&outlet, line, length, deadline_us);
	}
	outlet_close(&outlet);
	if (err < 0)
		report_ready_failed(&server->report, -err);
}

static void tell_readiness(struct prong *server)
{
	int fd = server->settings.ready_fd;

	if (fd <= 0)
		return;
	write_addresses(server, fd);
	/* Workers keep the low descriptors, so no socket may get such a number. */
	if (fd < server->settings.keep_fds)
		dup2(server->null_fd, fd);
	else
		close(fd);
	server->settings.ready_fd = 0;
}

static void tell_error(const struct prong *server, const struct why *why)
{
	if (server->error != NULL && server->error_size > 0)
		snprintf(server->error, server->error_size, "%s", why->text);
}

int prong_run(struct prong *server)
{
	struct why why = { "" };
	int err;

	if (server->has_run) {
		why_set(&why, "prong_run() has been called before on this server");
		tell_error(server, &why);
		return -EINVAL;
	}
	server->has_run = true;
	err = begin(server, &why);
	if (err == 0) {
		struct totals totals;

		announce(server);
		tell_readiness(server);
		report_ready(&server->report);
		err = supervise(server);
		if (err < 0) {
			why_call(&why, err, "wait for events", "epoll_pwait(2)");
			supervisor_end_all(server);
		}
		totals = supervisor_totals(server);
		report_end(&server->report, &totals, server->processes.started,
			   supervisor_sources(server));
	}
	log_close(&server->report.log);
	end(server);
	if (err < 0)
		tell_error(server, &why);
	return err;
}
