#include "engine/supervisor/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "options.h"
#include "preflight.h"

static const char *const default_listen[] = { "127.0.0.1:7007", NULL };

static int64_t time_or(int64_t milliseconds, int64_t initial)
{
	return clock_from_ms(milliseconds == 0 ? initial : milliseconds);
}

static void fill_settings(struct settings *settings,
			  const struct prong_options *options, unsigned max)
{
	*settings = (struct settings){
		.spare = options->spare < max ? options->spare : max,
		.reuse = options->reuse == 0 ? 1 : options->reuse,
		.at_limit = options->at_limit,
		.refusal = options->refusal,
		.wants_sandbox = options->sandbox != PRONG_SANDBOX_OFF,
		.refusal_text = options->refusal_text,
		.idle_timeout = clock_from_ms(options->idle_timeout),
		.session_timeout = clock_from_ms(options->session_timeout),
		.grace = options->grace < 0 ? 0 : time_or(options->grace, 30000),
		.linger = time_or(options->linger, 2000),
		.ready_fd = options->ready_fd,
		.keep_fds = options->keep_fds == 0 ? 3 : options->keep_fds,
	};
}

static int open_log(struct prong *server, const struct prong_options *options)
{
	int err = log_open(&server->log, options->log_fd > 0 ? options->log_fd : -1,
			   options->log, options->log_arg);

	server->log.format = options->log_format == PRONG_LOG_JSON ? LOG_FORMAT_JSON
								   : LOG_FORMAT_LOGFMT;
	server->log.most = options->log_level == PRONG_LOG_QUIET    ? LOG_ERROR
			   : options->log_level == PRONG_LOG_NORMAL ? LOG_INFO
								    : LOG_DEBUG;
	return err;
}

static int open_listener(struct prong *server, const char *text,
			 const struct address *address, struct why *why)
{
	int err;

	if (server->listener_count == LISTENERS_MAX)
		return why_fail(why, -EINVAL, "more than %d addresses to listen on",
				LISTENERS_MAX);
	err = listener_open(&server->listeners[server->listener_count], address);
	if (err == -EADDRINUSE)
		return why_fail(why, err, "cannot listen on %s: another server has it",
				text);
	if (err == -EACCES && address_family(address) != AF_UNIX)
		return why_fail(why, err,
				"cannot listen on %s: this port needs root or "
				"CAP_NET_BIND_SERVICE",
				text);
	if (err == -EEXIST)
		return why_fail(
			why, err,
			"cannot listen on %s: the path is there and is no socket",
			text);
	if (err < 0)
		return why_fail(why, err, "cannot listen on %s: %s", text,
				strerror(-err));
	server->listener_count++;
	return 0;
}

static int adopt_listeners(struct prong *server, const struct prong_options *options,
			   struct why *why)
{
	for (size_t i = 0; i < options->listen_fd_count; i++) {
		const char *name =
			options->listen_names != NULL ? options->listen_names[i] : NULL;
		int err;

		if (server->listener_count == LISTENERS_MAX)
			return why_fail(why, -EINVAL, "more than %d listeners",
					LISTENERS_MAX);
		if (options->listen_fds[i] < server->settings.keep_fds)
			return why_fail(
				why, -EINVAL,
				"descriptor %d is a listener, and workers would "
				"have it: it is below keep_fds",
				options->listen_fds[i]);
		if (options->ready_fd > 0 &&
		    options->listen_fds[i] == options->ready_fd)
			return why_fail(why, -EINVAL,
					"descriptor %d is a listener, and not for "
					"readiness",
					options->ready_fd);
		err = listener_adopt(&server->listeners[server->listener_count],
				     options->listen_fds[i], name, why);
		if (err < 0) {
			why_prepend(why, "cannot serve ");
			return err;
		}
		server->listener_count++;
	}
	return 0;
}

/* After a failure those that were handed over are their giver's again. */
static void disown_listeners(struct prong *server)
{
	for (unsigned i = 0; i < server->listener_count; i++)
		if (server->listeners[i].adopted)
			server->listeners[i].fd = -1;
}

static int open_listeners(struct prong *server, const struct prong_options *options,
			  struct why *why)
{
	const char *const *text = options->listen;

	if (text == NULL)
		text = default_listen + (options->listen_fd_count > 0);
	for (; *text != NULL; text++) {
		struct address_list list;
		int err = address_lookup(&list, *text, why);

		if (err < 0) {
			why_prepend(why, "bad address %.100s: ", *text);
			return err;
		}
		for (unsigned i = 0; i < list.count; i++) {
			err = open_listener(server, *text, &list.at[i], why);
			if (err < 0)
				return err;
		}
	}
	if (server->listener_count == 0)
		return why_fail(why, -EINVAL, "there is no address to listen on");
	if (server->tallies != NULL &&
	    (server->listener_count > 1 || server->listeners[0].adopted))
		return why_fail(
			why, -EINVAL,
			"accept workers: one address, which nobody else has open");
	return 0;
}

static int open_tables(struct prong *server, const struct prong_options *options,
		       unsigned max, struct why *why)
{
	int err = processes_open(&server->processes, max);

	if (err == 0)
		err = scoreboard_open(&server->board, max);
	if (err == 0)
		err = open_log(server, options);
	if (err == 0 && options->accept == PRONG_ACCEPT_WORKERS) {
		server->tallies = tallies_open(max);
		err = server->tallies == NULL ? -ENOMEM : 0;
	}
	if (err < 0)
		return why_fail(why, err, "no memory for %u processes", max);
	linger_open(&server->lingering);
	return 0;
}

static int open_policy(struct prong *server, const struct prong_options *options,
		       unsigned max, struct why *why)
{
	return policy_open(&server->policy, options, max, options->program != NULL,
			   why);
}

static int open_program(struct prong *server, const struct prong_options *options,
			struct why *why)
{
	if (options->program == NULL)
		return 0;
	server->program = malloc(sizeof(*server->program));
	server->sessions.environment = malloc(sizeof(*server->sessions.environment));
	if (server->program == NULL || server->sessions.environment == NULL)
		return why_fail(why, -ENOMEM, "no memory");
	return program_prepare(server->program, options->program, why);
}

static int check_sandbox(const struct prong *server,
			 const struct prong_options *options, struct why *why)
{
	if (options->sandbox != PRONG_SANDBOX_STRICT)
		return 0;
	if (!server->sandbox.on)
		return why_fail(why, -ENOTSUP,
				"sandbox strict: there is no seccomp filter to be had "
				"here");
	if (!server->sandbox.landlock)
		return why_fail(why, -ENOTSUP,
				"sandbox strict: this kernel has no landlock(7)");
	return 0;
}

/* Tries out what can fail in children, where there is anything that can. */
static int open_privileges(struct prong *server, const struct prong_options *options,
			   struct why *why)
{
	bool sandbox = options->sandbox != PRONG_SANDBOX_OFF;
	int err = privileges_open(&server->privileges, options->privileges, sandbox);

	if (err < 0)
		return why_fail(why, err, "no memory");
	server->sandbox = (struct sandbox){
		.on = sandbox,
		.landlock = sandbox,
		.ruleset = -1,
		.lends_gate = privileges_need_gate(server->privileges),
	};
	if (options->privileges != NULL || sandbox ||
	    (options->program != NULL && options->program->directory != NULL))
		err = preflight_run(server->privileges, server->program,
				    &server->sandbox, why);
	else if (server->program != NULL)
		err = program_find(server->program, why);
	if (err < 0)
		return err;
	if (server->program != NULL &&
	    (server->program->asked.warm == NULL || server->program->cold != NULL))
		server->settings.spare = 0;
	return check_sandbox(server, options, why);
}

/* The listeners are open: the last moment for a supervisor to give up its rights. */
static int drop_privileges(struct prong *server, const struct prong_options *options,
			   struct why *why)
{
	struct privileges_failure failure;

	if (options->privileges == NULL ||
	    options->privileges->drop != PRONG_DROP_SUPERVISOR)
		return 0;
	if (privileges_take_once(server->privileges, &failure) < 0)
		return privileges_explain(server->privileges, &failure, why);
	server->sandbox.lends_gate = privileges_need_gate(server->privileges);
	return 0;
}

/*
 * Workers keep the low descriptors, so none of the supervisor's own may come to lie
 * there: whatever is free below keep_fds becomes /dev/null.
 */
static int fill_low_descriptors(struct prong *server, struct why *why)
{
	int fd = -1;

	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return why_fail(why, -errno, "cannot open /dev/null: %s",
					strerror(errno));
	} while (fd < server->settings.keep_fds);
	fcntl(fd, F_SETFD, FD_CLOEXEC);
	server->null_fd = fd;
	return 0;
}

static int open_notify(struct prong *server, const struct prong_options *options,
		       struct why *why)
{
	int err = notify_open(&server->notify, options->notify);

	return err < 0 ? why_fail(why, err, "cannot notify: %s", strerror(-err)) : 0;
}

static int open_parts(struct prong *server, const struct prong_options *options,
		      unsigned max, struct why *why)
{
	int err = open_program(server, options, why);

	if (err == 0)
		err = open_privileges(server, options, why);
	if (err == 0)
		err = fill_low_descriptors(server, why);
	if (err == 0)
		err = open_tables(server, options, max, why);
	if (err == 0)
		err = open_policy(server, options, max, why);
	if (err == 0)
		err = adopt_listeners(server, options, why);
	if (err == 0)
		err = open_listeners(server, options, why);
	if (err == 0)
		err = open_notify(server, options, why);
	return err < 0 ? err : drop_privileges(server, options, why);
}

/* As prong_open(), with what failed in why. */
static int open_server(struct prong **out, const struct prong_options *options,
		       prong_handler *handler, void *arg, struct why *why)
{
	struct prong *server;
	unsigned max;
	int err = options_check(options, handler != NULL, why);

	if (err < 0)
		return err;
	max = options_max_processes(options);
	server = memory_private(sizeof(*server));
	if (server == NULL)
		return why_fail(why, -ENOMEM, "no memory");
	server->handler = handler;
	server->arg = arg;
	server->epoll_fd = server->null_fd = server->reserve_fd = -1;
	server->signals.fd = server->notify.fd = -1;
	server->log_polled = -1;
	server->admission.limit.left_at = CLOCK_NEVER;
	server->sessions.look_at = CLOCK_NEVER;
	server->stop.term_at = server->stop.kill_at = CLOCK_NEVER;
	fill_settings(&server->settings, options, max);
	err = open_parts(server, options, max, why);
	if (err < 0) {
		disown_listeners(server);
		prong_close(server);
		return err;
	}
	*out = server;
	return 0;
}

int prong_open(struct prong **out, const struct prong_options *options,
	       prong_handler *handler, void *arg)
{
	struct why why = { "" };
	int err = open_server(out, options, handler, arg, &why);

	if (err < 0)
		options_tell(options, &why);
	return err;
}

void prong_close(struct prong *server)
{
	if (server == NULL)
		return;
	for (unsigned i = 0; i < server->listener_count; i++)
		listener_close(&server->listeners[i]);
	log_close(&server->log);
	notify_close(&server->notify);
	if (server->null_fd >= 0)
		close(server->null_fd);
	free(server->program);
	free(server->sessions.environment);
	privileges_close(server->privileges);
	policy_close(&server->policy);
	processes_close(&server->processes);
	scoreboard_close(&server->board);
	tallies_close(server->tallies, server->processes.max);
	memory_release(server, sizeof(*server));
}

int prong_listener(const struct prong *server, unsigned index, char *text, size_t size)
{
	char whole[ADDRESS_TEXT_MAX];

	if (index >= server->listener_count)
		return -ENOENT;
	address_format(&server->listeners[index].address, whole, sizeof(whole));
	if (strlen(whole) >= size)
		return -ENOSPC;
	memcpy(text, whole, strlen(whole) + 1);
	return 0;
}

const char *prong_version(void)
{
	return PRONG_VERSION;
}
