#include "options.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/number.h"
#include "engine/confine/sandbox.h"

#define MAX_PROCESSES 1000000
#define KEEP_FDS_MAX  1024

int options_fail(const struct prong_options *options, int err, const char *format, ...)
{
	va_list args;

	/* Behind options that are shorter nothing may be read or followed. */
	if (options->size < sizeof(*options))
		return err;
	if (options->error == NULL || options->error_size == 0)
		return err;
	va_start(args, format);
	vsnprintf(options->error, options->error_size, format, args);
	va_end(args);
	return err;
}

unsigned options_max_processes(const struct prong_options *options)
{
	return options->max_processes == 0 ? 1000 : options->max_processes;
}

static bool is_time(int64_t milliseconds)
{
	return milliseconds >= 0 && milliseconds <= NUMBER_DURATION_MAX;
}

static int check_numbers(const struct prong_options *options)
{
	if (options->size != sizeof(*options))
		return options_fail(
			options, -EINVAL,
			"options.size is not that of this library's version");
	if (options->max_processes > MAX_PROCESSES)
		return options_fail(options, -EINVAL, "max_processes is over %d",
				    MAX_PROCESSES);
	if (!is_time(options->idle_timeout) || !is_time(options->session_timeout) ||
	    !is_time(options->linger) || options->grace > NUMBER_DURATION_MAX)
		return options_fail(options, -EINVAL,
				    "a time is negative or over ten years");
	if (options->keep_fds < 0 || options->ready_fd < 0 || options->log_fd < 0)
		return options_fail(options, -EINVAL, "a descriptor is negative");
	if (options->keep_fds > KEEP_FDS_MAX)
		return options_fail(options, -EINVAL, "keep_fds is over %d",
				    KEEP_FDS_MAX);
	if (options->sandbox > PRONG_SANDBOX_STRICT)
		return options_fail(options, -EINVAL, "sandbox is unknown");
	if (options->at_limit > PRONG_REFUSE)
		return options_fail(options, -EINVAL, "at_limit is unknown");
	if (options->listen_fd_count > 0 && options->listen_fds == NULL)
		return options_fail(options, -EINVAL, "listen_fds is missing");
	if (options->refusal > PRONG_REFUSAL_RESET)
		return options_fail(options, -EINVAL, "refusal is unknown");
	if (options->refusal == PRONG_REFUSAL_RESET && options->refusal_text != NULL)
		return options_fail(options, -EINVAL,
				    "refusal: a reset carries no refusal-text");
	if (options->log_level < PRONG_LOG_QUIET ||
	    options->log_level > PRONG_LOG_VERBOSE)
		return options_fail(options, -EINVAL, "log_level is unknown");
	if (options->log_format > PRONG_LOG_JSON)
		return options_fail(options, -EINVAL, "log_format is unknown");
	return 0;
}

static bool is_empty(const char *const *list)
{
	return list == NULL || list[0] == NULL;
}

/* Nobody but the supervisor knows who comes, and so who may not. */
static bool limits_who_comes(const struct prong_options *options)
{
	return options->at_limit != PRONG_WAIT || !is_empty(options->allow) ||
	       !is_empty(options->deny) || options->max_per_source > 0 ||
	       options->rate_per_source.count > 0 || options->rate.count > 0;
}

static int check_accept(const struct prong_options *options)
{
	if (options->accept == PRONG_ACCEPT_SUPERVISOR)
		return 0;
	if (options->accept > PRONG_ACCEPT_WORKERS)
		return options_fail(options, -EINVAL, "accept is unknown");
	if (options->program != NULL)
		return options_fail(options, -EINVAL,
				    "accept workers: a program cannot");
	if (options->reuse <= 1)
		return options_fail(options, -EINVAL,
				    "accept workers: they must be reused (reuse)");
	if (options->spare == 0)
		return options_fail(options, -EINVAL,
				    "accept workers: spare is how many there are at "
				    "least, so not 0");
	if (limits_who_comes(options))
		return options_fail(
			options, -EINVAL,
			"accept workers: no limits or lists of sources, and no "
			"refusing, since nobody looks at who comes");
	return 0;
}

static int check_privileges(const struct prong_options *options)
{
	const struct prong_privileges *privileges = options->privileges;

	if (options->program != NULL && options->sandbox != PRONG_SANDBOX_OFF)
		return options_fail(options, -EINVAL, "the sandbox is for handlers");
	if (options->program != NULL && sandbox_is_set())
		return options_fail(
			options, -ENOTSUP,
			"programs cannot be started where a sandbox has been");
	if (privileges == NULL)
		return 0;
	if (!privileges->change_ids && (privileges->uid != 0 || privileges->gid != 0 ||
					privileges->group_count > 0))
		return options_fail(options, -EINVAL,
				    "ids without change_ids are not taken");
	if ((privileges->group_count > 0 && privileges->groups == NULL) ||
	    (privileges->limit_count > 0 && privileges->limits == NULL))
		return options_fail(options, -EINVAL, "groups or limits are missing");
	if (privileges->drop > PRONG_DROP_SUPERVISOR)
		return options_fail(options, -EINVAL, "drop is unknown");
	if (privileges->change_ids &&
	    (privileges->uid == (uid_t)-1 || privileges->gid == (gid_t)-1))
		return options_fail(options, -EINVAL, "-1 is no user and no group");
	if (privileges->allow_new_privs && options->sandbox != PRONG_SANDBOX_OFF)
		return options_fail(options, -EINVAL,
				    "there is no sandbox that allows new privileges");
	if (privileges->root != NULL && privileges->drop == PRONG_DROP_SUPERVISOR &&
	    options->program != NULL && options->program->kill_descendants)
		return options_fail(
			options, -EINVAL,
			"kill-descendants needs /proc, which a supervisor loses by "
			"chroot");
	for (size_t i = 0; i < privileges->limit_count; i++)
		if (privileges->limits[i].soft > privileges->limits[i].hard)
			return options_fail(
				options, -EINVAL,
				"a soft resource limit is over its hard limit");
	return 0;
}

/* The options of a handler and those of a program that go together with nothing else. */
static int check_what_serves(const struct prong_options *options, bool has_handler)
{
	if (has_handler == (options->program != NULL))
		return options_fail(options, -EINVAL,
				    "one of handler and program is needed");
	if (options->program != NULL && options->reuse > 1)
		return options_fail(options, -EINVAL,
				    "a program's process cannot be reused");
	return 0;
}

int options_check(const struct prong_options *options, bool has_handler)
{
	int err = check_numbers(options);

	if (err == 0)
		err = check_privileges(options);
	if (err == 0)
		err = check_what_serves(options, has_handler);
	return err == 0 ? check_accept(options) : err;
}
