#include "options.h"

#include <errno.h>
#include <stdio.h>

#include "base/number.h"
#include "engine/confine/sandbox.h"

#define MAX_PROCESSES 1000000
#define KEEP_FDS_MAX  1024

_Static_assert(WHY_MAX == PRONG_ERROR_MAX, "a buffer of PRONG_ERROR_MAX holds a why");

void options_tell(const struct prong_options *options, const struct why *why)
{
	/* Behind options that are shorter nothing may be read or followed. */
	if (options->size < sizeof(*options))
		return;
	if (options->error == NULL || options->error_size == 0)
		return;
	snprintf(options->error, options->error_size, "%s", why->text);
}

unsigned options_max_processes(const struct prong_options *options)
{
	return options->max_processes == 0 ? 1000 : options->max_processes;
}

static bool is_time(int64_t milliseconds)
{
	return milliseconds >= 0 && milliseconds <= NUMBER_DURATION_MAX;
}

static int check_numbers(const struct prong_options *options, struct why *why)
{
	if (options->size != sizeof(*options))
		return why_fail(why, -EINVAL,
				"options.size is not that of this library's version");
	if (options->max_processes > MAX_PROCESSES)
		return why_fail(why, -EINVAL, "max_processes is over %d",
				MAX_PROCESSES);
	if (!is_time(options->idle_timeout) || !is_time(options->session_timeout) ||
	    !is_time(options->linger) || options->grace > NUMBER_DURATION_MAX)
		return why_fail(why, -EINVAL, "a time is negative or over ten years");
	if (options->keep_fds < 0 || options->ready_fd < 0 || options->log_fd < 0)
		return why_fail(why, -EINVAL, "a descriptor is negative");
	if (options->keep_fds > KEEP_FDS_MAX)
		return why_fail(why, -EINVAL, "keep_fds is over %d", KEEP_FDS_MAX);
	if (options->sandbox > PRONG_SANDBOX_STRICT)
		return why_fail(why, -EINVAL, "sandbox is unknown");
	if (options->at_limit > PRONG_REFUSE)
		return why_fail(why, -EINVAL, "at_limit is unknown");
	if (options->listen_fd_count > 0 && options->listen_fds == NULL)
		return why_fail(why, -EINVAL, "listen_fds is missing");
	if (options->refusal > PRONG_REFUSAL_RESET)
		return why_fail(why, -EINVAL, "refusal is unknown");
	if (options->refusal == PRONG_REFUSAL_RESET && options->refusal_text != NULL)
		return why_fail(why, -EINVAL,
				"refusal: a reset carries no refusal-text");
	if (options->log_level < PRONG_LOG_QUIET ||
	    options->log_level > PRONG_LOG_VERBOSE)
		return why_fail(why, -EINVAL, "log_level is unknown");
	if (options->log_format > PRONG_LOG_JSON)
		return why_fail(why, -EINVAL, "log_format is unknown");
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

static int check_accept(const struct prong_options *options, struct why *why)
{
	if (options->accept == PRONG_ACCEPT_SUPERVISOR)
		return 0;
	if (options->accept > PRONG_ACCEPT_WORKERS)
		return why_fail(why, -EINVAL, "accept is unknown");
	if (options->program != NULL)
		return why_fail(why, -EINVAL, "accept workers: a program cannot");
	if (options->reuse <= 1)
		return why_fail(why, -EINVAL,
				"accept workers: they must be reused (reuse)");
	if (options->spare == 0)
		return why_fail(why, -EINVAL,
				"accept workers: spare is how many there are at "
				"least, so not 0");
	if (limits_who_comes(options))
		return why_fail(why, -EINVAL,
				"accept workers: no limits or lists of sources, and no "
				"refusing, since nobody looks at who comes");
	return 0;
}

static int check_privileges(const struct prong_options *options, struct why *why)
{
	const struct prong_privileges *privileges = options->privileges;

	if (options->program != NULL && options->sandbox != PRONG_SANDBOX_OFF)
		return why_fail(why, -EINVAL, "the sandbox is for handlers");
	if (options->program != NULL && sandbox_is_set())
		return why_fail(why, -ENOTSUP,
				"programs cannot be started where a sandbox has been");
	if (privileges == NULL)
		return 0;
	if (!privileges->change_ids && (privileges->uid != 0 || privileges->gid != 0 ||
					privileges->group_count > 0))
		return why_fail(why, -EINVAL, "ids without change_ids are not taken");
	if ((privileges->group_count > 0 && privileges->groups == NULL) ||
	    (privileges->limit_count > 0 && privileges->limits == NULL))
		return why_fail(why, -EINVAL, "groups or limits are missing");
	if (privileges->drop > PRONG_DROP_SUPERVISOR)
		return why_fail(why, -EINVAL, "drop is unknown");
	if (privileges->change_ids &&
	    (privileges->uid == (uid_t)-1 || privileges->gid == (gid_t)-1))
		return why_fail(why, -EINVAL, "-1 is no user and no group");
	if (privileges->allow_new_privs && options->sandbox != PRONG_SANDBOX_OFF)
		return why_fail(why, -EINVAL,
				"there is no sandbox that allows new privileges");
	if (privileges->root != NULL && privileges->drop == PRONG_DROP_SUPERVISOR &&
	    options->program != NULL && options->program->kill_descendants)
		return why_fail(
			why, -EINVAL,
			"kill-descendants needs /proc, which a supervisor loses by "
			"chroot");
	for (size_t i = 0; i < privileges->limit_count; i++)
		if (privileges->limits[i].soft > privileges->limits[i].hard)
			return why_fail(why, -EINVAL,
					"a soft resource limit is over its hard limit");
	return 0;
}

/* The options of a handler and those of a program that go together with nothing else. */
static int check_what_serves(const struct prong_options *options, bool has_handler,
			     struct why *why)
{
	if (has_handler == (options->program != NULL))
		return why_fail(why, -EINVAL, "one of handler and program is needed");
	if (options->program != NULL && options->reuse > 1)
		return why_fail(why, -EINVAL, "a program's process cannot be reused");
	return 0;
}

int options_check(const struct prong_options *options, bool has_handler,
		  struct why *why)
{
	int err = check_numbers(options, why);

	if (err == 0)
		err = check_privileges(options, why);
	if (err == 0)
		err = check_what_serves(options, has_handler, why);
	return err == 0 ? check_accept(options, why) : err;
}
