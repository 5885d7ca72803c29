#include "prong.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "engine/confine/privileges.h"
#include "engine/supervisor/supervisor.h"
#include "listening.h"
#include "options.h"
#include "preflight.h"

#define LINGER_BYTES (1024 * 1024)

static int64_t time_or_us(int64_t ms, int64_t initial_ms)
{
	return clock_us_from_ms(ms == 0 ? initial_ms : ms);
}

static void fill_settings(struct settings *settings,
			  const struct prong_options *options)
{
	unsigned max = options_max_processes(options);

	*settings = (struct settings){
		.spare = options->spare < max ? options->spare : max,
		.reuse = options->reuse == 0 ? 1 : options->reuse,
		.at_limit = options->at_limit,
		.refusal = options->refusal,
		.refusal_text = options->refusal_text,
		.banner = options->banner,
		.idle_timeout_us = clock_us_from_ms(options->idle_timeout),
		.session_timeout_us = clock_us_from_ms(options->session_timeout),
		.grace_us = options->grace < 0 ? 0 : time_or_us(options->grace, 30000),
		.linger_us = time_or_us(options->linger, 2000),
		.linger_bytes = options->linger_bytes == 0 ? LINGER_BYTES
							   : options->linger_bytes,
		.ready_fd = options->ready_fd,
		.keep_fds = options->keep_fds == 0 ? 3 : options->keep_fds,
	};
}

static int open_log(struct log *log, const struct prong_options *options,
		    struct why *why)
{
	static const enum log_severity most[] = {
		[PRONG_LOG_QUIET - PRONG_LOG_QUIET] = LOG_ERROR,
		[PRONG_LOG_NORMAL - PRONG_LOG_QUIET] = LOG_INFO,
		[PRONG_LOG_CONNECTIONS - PRONG_LOG_QUIET] = LOG_CONNECTION,
		[PRONG_LOG_VERBOSE - PRONG_LOG_QUIET] = LOG_DEBUG,
	};
	int err = log_open(log, options->log_fd > 0 ? options->log_fd : -1,
			   options->log, options->log_arg);

	log->format = options->log_format == PRONG_LOG_JSON ? LOG_FORMAT_JSON
							    : LOG_FORMAT_LOGFMT;
	log->most = most[options->log_level - PRONG_LOG_QUIET];
	return err < 0 ? why_fail(why, err, "no memory for the log") : 0;
}

static int open_listeners(struct prong *server, const struct prong_options *options,
			  struct why *why)
{
	const struct model *model = server->dispatch.serving.model;
	struct admission *admission = &server->admission;
	int err;

	admission->null_fd = server->null_fd;
	admission_open(admission);
	admission->accepts = (model->lacks & LACKS_ADMISSION) == 0;
	err = listening_open(admission, options, &server->report, why);
	if (err < 0)
		return err;
	if ((model->lacks & LACKS_LISTENERS) != 0 &&
	    (admission->listener_count > 1 || admission->listeners[0].adopted))
		return why_fail(why, -EINVAL,
				"%s needs exactly one address, which the server "
				"opens itself",
				model->name);
	return 0;
}

static int check_sandbox(const struct sandbox *sandbox,
			 const struct prong_options *options, struct why *why)
{
	if (options->sandbox != PRONG_SANDBOX_STRICT)
		return 0;
	if (!sandbox->on)
		return why_fail(why, -ENOTSUP,
				"sandbox strict: no seccomp filter can be set here "
				"(sandbox auto starts without one)");
	if (!sandbox->landlock)
		return why_fail(why, -ENOTSUP,
				"sandbox strict: this kernel has no landlock(7) "
				"(sandbox auto starts without it)");
	return 0;
}

/* Tries in a child what can fail in children, if anything can. */
static int open_privileges(struct prong *server, const struct prong_options *options,
			   const struct trial *trial, struct why *why)
{
	const struct serving *serving = &server->dispatch.serving;
	int err;

	if (serving->model->root_may_gain)
		privileges_let_root_gain(server->privileges);
	server->sandbox.lends_gate = privileges_need_gate(server->privileges);
	err = preflight_run(server->privileges, trial, &server->sandbox, why);
	if (err < 0)
		return err;
	if (serving->model->settle != NULL)
		serving->model->settle(serving->self, &server->settings);
	return check_sandbox(&server->sandbox, options, why);
}

/* The listeners are open, so a supervisor can give up its privileges now. */
static int drop_privileges(struct prong *server, struct why *why)
{
	struct privileges_failure failure;

	if (server->privileges->options.drop != PRONG_DROP_SUPERVISOR)
		return 0;
	if (privileges_take_once(server->privileges, &failure) < 0)
		return privileges_explain(server->privileges, &failure, why);
	server->sandbox.lends_gate = privileges_need_gate(server->privileges);
	return 0;
}

/*
 * Counts the descriptors that the server needs, and raises the limit until the
 * listeners are open.
 */
static int open_descriptors(struct prong *server, const struct prong_options *options,
			    struct why *why)
{
	const struct model *model = server->dispatch.serving.model;
	struct descriptors *descriptors = &server->descriptors;
	const struct settings *settings = &server->settings;
	unsigned max = server->processes.max;
	unsigned texts = 0;
	int err;

	while (options->listen != NULL && options->listen[texts] != NULL)
		texts++;
	descriptors_count(descriptors, texts, settings->keep_fds);
	if (model->descriptors != NULL) {
		descriptors->kept = model->descriptors(
			settings, settings->reuse == 1 ? settings->spare : max);
		descriptors->processes = model->descriptors(settings, max);
	}
	if (model->lingers || settings->refusal_text != NULL)
		descriptors->lingering = LINGER_MAX;
	err = descriptors_check(descriptors, why);
	if (err == 0)
		descriptors_raise(descriptors);
	return err;
}

/*
 * Workers keep the low descriptors, so no descriptor of the supervisor may get such a
 * number: whatever is free below keep_fds becomes /dev/null.
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

/* The parts that the model uses exist by now, though not all of them are filled yet. */
static int open_model(struct prong *server, const struct prong_options *options,
		      prong_handler *handler, void *arg, struct trial *trial,
		      struct why *why)
{
	const struct model_parts parts = {
		.processes = &server->processes,
		.sessions = &server->sessions,
		.report = &server->report,
		.settings = &server->settings,
		.privileges = server->privileges,
		.sandbox = &server->sandbox,
		.null_fd = &server->null_fd,
		.handler = handler,
		.arg = arg,
	};
	struct serving *serving = &server->dispatch.serving;

	serving->model = options_model(options);
	serving->self = &server->model;
	return serving->model->open(serving->self, &parts, options, trial, why);
}

/* Gives each part the others that it works with; they are opened later, one by one. */
static void connect_parts(struct prong *server)
{
	server->sessions.settings = &server->settings;
	server->sessions.policy = &server->policy;
	server->sessions.lingering = &server->lingering;
	server->sessions.report = &server->report;

	server->dispatch.processes = &server->processes;
	server->dispatch.sessions = &server->sessions;
	server->dispatch.report = &server->report;

	server->admission.loop = &server->loop;
	server->admission.sessions = &server->sessions;
	server->admission.dispatch = &server->dispatch;
	server->admission.report = &server->report;
	server->admission.settings = &server->settings;

	server->departures.processes = &server->processes;
	server->departures.sessions = &server->sessions;
	server->departures.dispatch = &server->dispatch;
	server->departures.report = &server->report;
	server->reaper.processes = &server->processes;
	server->reaper.ended = departure;
	server->reaper.owner = &server->departures;

	server->deadlines.processes = &server->processes;
	server->deadlines.report = &server->report;
	server->stop.admission = &server->admission;
	server->stop.processes = &server->processes;
	server->stop.lingering = &server->lingering;
	server->stop.report = &server->report;
}

static int open_notify(struct notify *notify, const char *name, struct why *why)
{
	int err = notify_open(notify, name);

	return err < 0 ? why_fail(why, err, "cannot notify the service manager: %s",
				  strerror(-err))
		       : 0;
}

static int try_nothing(void *state, struct why *why)
{
	(void)state, (void)why;
	return 0;
}

static int open_parts(struct prong *server, const struct prong_options *options,
		      prong_handler *handler, void *arg, struct why *why)
{
	unsigned max = options_max_processes(options);
	bool sandbox = options->sandbox != PRONG_SANDBOX_OFF;
	struct trial trial = { .run = try_nothing };
	const struct model *model;
	int err = processes_open(&server->processes, &server->loop, max);

	server->sandbox =
		(struct sandbox){ .on = sandbox, .landlock = sandbox, .ruleset = -1 };
	if (err == 0)
		err = privileges_open(&server->privileges, options->privileges,
				      sandbox);
	if (err < 0)
		return why_fail(why, err, "no memory for %u processes", max);
	err = open_model(server, options, handler, arg, &trial, why);
	model = server->dispatch.serving.model;
	if (err == 0)
		err = open_privileges(server, options, &trial, why);
	if (err == 0)
		err = open_descriptors(server, options, why);
	if (err == 0)
		err = fill_low_descriptors(server, why);
	if (err == 0)
		err = open_log(&server->report.log, options, why);
	if (err == 0)
		err = policy_open(&server->policy, options, max, model->counts_sources,
				  why);
	if (err == 0)
		err = open_listeners(server, options, why);
	if (err == 0)
		err = open_notify(&server->report.notify, options->notify, why);
	if (err == 0)
		err = drop_privileges(server, why);
	return err;
}

/*
 * Does what prong_open() does, with the options in this version's form; why says what
 * failed.
 */
static int open_server(struct prong **out, const struct prong_options *options,
		       prong_handler *handler, void *arg, struct why *why)
{
	struct prong *server;
	int err = options_check(options, handler != NULL, why);

	if (err < 0)
		return err;
	server = memory_private(sizeof(*server));
	if (server == NULL)
		return why_fail(why, -ENOMEM, "no memory");
	server->loop.fd = server->null_fd = -1;
	server->signals.fd = server->report.notify.fd = -1;
	server->error = options->error;
	server->error_size = options->error_size;
	fill_settings(&server->settings, options);
	connect_parts(server);
	err = open_parts(server, options, handler, arg, why);
	descriptors_restore(&server->descriptors);
	if (err < 0) {
		listening_disown(&server->admission);
		prong_close(server);
		return err;
	}
	linger_open(&server->lingering, &server->loop, server->settings.linger_bytes);
	dispatch_open(&server->dispatch, server->settings.spare);
	stop_open(&server->stop);
	server->deadlines.session_timeout_us = server->settings.session_timeout_us;
	server->deadlines.hangup_us = server->settings.hangup_us;
	server->deadlines.allowance_us = server->dispatch.serving.model->allowance_us;
	*out = server;
	return 0;
}

int prong_open(struct prong **out, const struct prong_options *options,
	       prong_handler *handler, void *arg)
{
	struct prong_options own;
	struct why why = { "" };
	int err = options_copy(&own, options, &why);

	if (err == 0)
		err = open_server(out, &own, handler, arg, &why);
	if (err < 0)
		options_tell(&own, &why);
	return err;
}

void prong_close(struct prong *server)
{
	const struct serving *serving;

	if (server == NULL)
		return;
	serving = &server->dispatch.serving;
	admission_close_listeners(&server->admission);
	log_close(&server->report.log);
	notify_close(&server->report.notify);
	if (server->null_fd >= 0)
		close(server->null_fd);
	if (serving->model != NULL)
		serving->model->close(serving->self);
	privileges_close(server->privileges);
	policy_close(&server->policy);
	processes_close(&server->processes);
	memory_release(server, sizeof(*server));
}

int prong_listener(const struct prong *server, unsigned index, char *text, size_t size)
{
	char whole[ADDRESS_TEXT_MAX];

	if (index >= server->admission.listener_count)
		return -ENOENT;
	address_format(&server->admission.listeners[index].address, whole,
		       sizeof(whole));
	if (strlen(whole) >= size)
		return -ENOSPC;
	memcpy(text, whole, strlen(whole) + 1);
	return 0;
}

const char *prong_version(void)
{
	return PRONG_VERSION;
}
