#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/number.h"
#include "engine/confine/privileges.h"
#include "engine/supervisor/acceptors.h"
#include "engine/supervisor/programs.h"
#include "engine/supervisor/users.h"
#include "engine/supervisor/workers.h"
#include "listening.h"

#define MAX_PROCESSES       1000000
#define KEEP_FDS_MAX        1024
#define USERS_MAX           16777216 /* a byte of memory each */
#define ID_MAX              (UINT32_MAX - 1)
#define BANNER_MAX          4096 /* bytes, which any send buffer holds */
#define KEEPALIVE_MAX_MS    (32767 * 1000)
#define KEEPALIVE_COUNT_MAX 127

_Static_assert(WHY_MAX == PRONG_ERROR_MAX, "a buffer of PRONG_ERROR_MAX holds a why");

/* A newer library would read padding of an older program's options as a field. */
_Static_assert(sizeof(void *) < 8 ||
		       offsetof(struct prong_options, user_count) + sizeof(unsigned) ==
			       sizeof(struct prong_options),
	       "no padding behind the last field");

static bool is_zero(const unsigned char *bytes, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (bytes[i] != 0)
			return false;
	return true;
}

int options_copy(struct prong_options *own, const struct prong_options *options,
		 struct why *why)
{
	size_t size = options->size;

	memset(own, 0, sizeof(*own));
	if (size < OPTIONS_SIZE_MIN)
		return why_fail(why, -EINVAL,
				"options.size is %zu: set it to "
				"sizeof(struct prong_options)",
				size);
	memcpy(own, options, size < sizeof(*own) ? size : sizeof(*own));
	own->size = sizeof(*own);
	if (size > OPTIONS_SIZE_MAX)
		return why_fail(why, -E2BIG,
				"options.size is %zu: set it to "
				"sizeof(struct prong_options)",
				size);
	if (size > sizeof(*own) &&
	    !is_zero((const unsigned char *)options + sizeof(*own),
		     size - sizeof(*own)))
		return why_fail(why, -E2BIG,
				"a field is set that version %s of the library does "
				"not know: use a newer library, or leave the field "
				"zero",
				PRONG_VERSION);
	return 0;
}

void options_tell(const struct prong_options *options, const struct why *why)
{
	if (options->error == NULL || options->error_size == 0)
		return;
	snprintf(options->error, options->error_size, "%s", why->text);
}

unsigned options_max_processes(const struct prong_options *options)
{
	return options->max_processes == 0 ? 1000 : options->max_processes;
}

static bool is_time(int64_t ms)
{
	return ms >= 0 && ms <= NUMBER_DURATION_MAX_MS;
}

static int check_numbers(const struct prong_options *options, struct why *why)
{
	if (options->max_processes > MAX_PROCESSES)
		return why_fail(why, -EINVAL, "max_processes is over %d",
				MAX_PROCESSES);
	if (!is_time(options->idle_timeout) || !is_time(options->session_timeout) ||
	    !is_time(options->linger) || options->grace > NUMBER_DURATION_MAX_MS)
		return why_fail(
			why, -EINVAL,
			"idle_timeout, session_timeout, linger or grace is out of "
			"range: zero to ten years (grace may be negative)");
	if (options->keep_fds < 0 || options->ready_fd < 0 || options->log_fd < 0)
		return why_fail(why, -EINVAL,
				"keep_fds, ready_fd or log_fd is negative");
	if (options->keep_fds > KEEP_FDS_MAX)
		return why_fail(why, -EINVAL, "keep_fds is over %d", KEEP_FDS_MAX);
	if (options->sandbox > PRONG_SANDBOX_STRICT)
		return why_fail(why, -EINVAL, "sandbox has an unknown value");
	if (options->at_limit > PRONG_REFUSE)
		return why_fail(why, -EINVAL, "at_limit has an unknown value");
	if (options->listen_fd_count > 0 && options->listen_fds == NULL)
		return why_fail(why, -EINVAL,
				"listen_fds is NULL, but listen_fd_count is not 0");
	if (options->refusal > PRONG_REFUSAL_RESET)
		return why_fail(why, -EINVAL, "refusal has an unknown value");
	if (options->refusal == PRONG_REFUSAL_RESET && options->refusal_text != NULL)
		return why_fail(why, -EINVAL,
				"refusal: a reset cannot carry a refusal-text");
	if (options->log_level < PRONG_LOG_QUIET ||
	    options->log_level > PRONG_LOG_VERBOSE)
		return why_fail(why, -EINVAL, "log_level has an unknown value");
	if (options->log_format > PRONG_LOG_JSON)
		return why_fail(why, -EINVAL, "log_format has an unknown value");
	return 0;
}

/* Checks the values for TCP against the ranges of tcp(7). */
static int check_tcp(const struct prong_options *options, struct why *why)
{
	const int64_t times[] = { options->keepalive_idle,
				  options->keepalive_interval };

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		if (times[i] < 0 || times[i] > KEEPALIVE_MAX_MS || times[i] % 1000 != 0)
			return why_fail(
				why, -EINVAL,
				"keepalive: a time is not a whole number of seconds "
				"from 1s to 32767s");
	if (options->keepalive_count > KEEPALIVE_COUNT_MAX)
		return why_fail(why, -EINVAL, "keepalive: the count is over %d",
				KEEPALIVE_COUNT_MAX);
	if (options->no_keepalive &&
	    (times[0] != 0 || times[1] != 0 || options->keepalive_count != 0))
		return why_fail(why, -EINVAL,
				"keepalive is off, but its times or its count are set");
	if (options->user_timeout < 0 || options->user_timeout > INT32_MAX)
		return why_fail(why, -EINVAL,
				"user-timeout is negative or over 24 days");
	if (options->banner != NULL && strlen(options->banner) > BANNER_MAX)
		return why_fail(why, -EINVAL, "banner is over %d bytes", BANNER_MAX);
	return 0;
}

static bool is_empty(const char *const *list)
{
	return list == NULL || list[0] == NULL;
}

static bool limits_each_source(const struct prong_options *options)
{
	return options->max_per_source > 0 || options->rate_per_source.count > 0;
}

static bool has_limits(const struct prong_options *options)
{
	return limits_each_source(options) || options->rate.count > 0;
}

static bool can_refuse(const struct prong_options *options)
{
	return options->at_limit != PRONG_WAIT || !is_empty(options->allow) ||
	       !is_empty(options->deny) || has_limits(options);
}

static bool has_refusal(const struct prong_options *options)
{
	return options->refusal != PRONG_REFUSAL_CLOSE || options->refusal_text != NULL;
}

static bool has_source_prefix(const struct prong_options *options)
{
	return options->source_prefix_ipv4 != 0 || options->source_prefix_ipv6 != 0;
}

static bool admits(const struct prong_options *options)
{
	return can_refuse(options) || has_refusal(options) ||
	       has_source_prefix(options) || !is_empty(options->exempt);
}

static bool has_banner(const struct prong_options *options)
{
	return options->banner != NULL;
}

static bool tells_connections(const struct prong_options *options)
{
	return options->log_level == PRONG_LOG_CONNECTIONS;
}

static bool is_reused(const struct prong_options *options)
{
	return options->reuse > 1;
}

static bool is_fresh(const struct prong_options *options)
{
	return options->reuse <= 1;
}

static bool has_no_spares(const struct prong_options *options)
{
	return options->spare == 0;
}

static bool accepts(const struct prong_options *options)
{
	return options->accept != PRONG_ACCEPT_SUPERVISOR;
}

static bool has_sandbox(const struct prong_options *options)
{
	return options->sandbox != PRONG_SANDBOX_OFF;
}

static bool has_users(const struct prong_options *options)
{
	return options->user_first != 0 || options->user_count != 0;
}

/* What the options may ask for, and the sentence if the model lacks it; model.h. */
static const struct {
	unsigned lack;
	bool (*is_set)(const struct prong_options *options);
	const char *what;
} wishes[] = {
	{ LACKS_ADMISSION, admits,
	  "cannot limit or refuse clients: workers accept them unchecked" },
	{ LACKS_ADMISSION, has_banner,
	  "cannot send a banner: workers accept connections themselves" },
	{ LACKS_ADMISSION, tells_connections,
	  "cannot log a line for each connection: choose another log-level" },
	{ LACKS_REUSE, is_reused,
	  "cannot serve a second connection: reuse must be "
	  "0 or 1" },
	{ LACKS_FRESH, is_fresh, "needs reuse other than 1" },
	{ LACKS_NO_SPARES, has_no_spares,
	  "needs spare to be at least 1: it is the smallest number of workers" },
	{ LACKS_ACCEPTING, accepts,
	  "cannot accept connections: accept workers "
	  "needs a handler" },
	{ LACKS_USERS, has_users,
	  "cannot run as users of a range: user-range is for programs" },
	{ LACKS_SANDBOX, has_sandbox,
	  "cannot be sandboxed: the sandbox is for handlers" },
};

static const struct model *const models[] = { &model_programs, &model_acceptors,
					      &model_workers };

const struct model *options_model(const struct prong_options *options)
{
	for (size_t i = 0; i < sizeof(models) / sizeof(models[0]); i++)
		if (models[i]->is_asked(options))
			return models[i];
	return NULL;
}

static int check_model(const struct model *model, const struct prong_options *options,
		       struct why *why)
{
	for (size_t i = 0; i < sizeof(wishes) / sizeof(wishes[0]); i++)
		if ((model->lacks & wishes[i].lack) != 0 && wishes[i].is_set(options))
			return why_fail(why, -EINVAL, "%s %s", model->name,
					wishes[i].what);
	return 0;
}

/* Refuses options that would have no effect. */
static int check_effects(const struct model *model, const struct prong_options *options,
			 struct why *why)
{
	if (has_refusal(options) && !can_refuse(options))
		return why_fail(why, -EINVAL,
				"refusal and refusal_text have no effect: no other "
				"option refuses clients");
	if (!is_empty(options->exempt) && !has_limits(options))
		return why_fail(why, -EINVAL,
				"exempt has no effect without max_per_source, "
				"rate_per_source or rate");
	if (has_source_prefix(options) && !limits_each_source(options) &&
	    !model->counts_sources)
		return why_fail(why, -EINVAL,
				"source_prefix has no effect without "
				"max_per_source, rate_per_source or a program");
	return 0;
}

static int check_socket(const struct prong_options *options, struct why *why)
{
	if (options->socket.mode > 0777)
		return why_fail(why, -EINVAL, "socket-mode is over 777");
	if (!options->socket.change_owner &&
	    (options->socket.uid != 0 || options->socket.gid != 0))
		return why_fail(why, -EINVAL,
				"socket.uid and socket.gid need socket.change_owner");
	if ((options->socket.mode != 0 || options->socket.change_owner) &&
	    !listening_makes_files(options))
		return why_fail(why, -EINVAL,
				"socket-mode, socket-user and socket-group are for "
				"UNIX sockets with a path, and listen names none");
	return 0;
}

static int check_privileges(const struct prong_options *options, struct why *why)
{
	const struct prong_privileges *privileges = options->privileges;

	if (privileges == NULL)
		return 0;
	if (!privileges->change_ids && (privileges->uid != 0 || privileges->gid != 0 ||
					privileges->group_count > 0))
		return why_fail(why, -EINVAL, "uid, gid and groups need change_ids");
	if ((privileges->group_count > 0 && privileges->groups == NULL) ||
	    (privileges->limit_count > 0 && privileges->limits == NULL))
		return why_fail(why, -EINVAL,
				"groups or limits is NULL, but its count is not 0");
	if (privileges->drop > PRONG_DROP_SUPERVISOR)
		return why_fail(why, -EINVAL, "drop has an unknown value");
	if (privileges->change_ids &&
	    (privileges->uid == (uid_t)-1 || privileges->gid == (gid_t)-1))
		return why_fail(why, -EINVAL, "uid or gid is -1, which is not an id");
	if (privileges->allow_new_privs && options->sandbox != PRONG_SANDBOX_OFF)
		return why_fail(why, -EINVAL,
				"allow_new_privs cannot be combined with a sandbox");
	if (privileges->allow_new_privs && privileges_are_fixed())
		return why_fail(why, -EPERM,
				"allow-new-privs: this process was started with "
				"no_new_privs, which cannot be unset (in a unit, write "
				"NoNewPrivileges=no)");
	for (size_t i = 0; i < privileges->limit_count; i++)
		if (privileges->limits[i].soft > privileges->limits[i].hard)
			return why_fail(why, -EINVAL,
					"a soft resource limit is over its hard limit");
	return 0;
}

/* All processes of these users are killed, so the supervisor's own must not be one. */
static int check_own_user(const struct prong_options *options, struct why *why)
{
	uid_t ids[3];

	if (getresuid(&ids[0], &ids[1], &ids[2]) < 0)
		return why_kernels(why_call(why, -errno, "read the supervisor's user",
					    "getresuid(2)"));
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		if (ids[i] - options->user_first < options->user_count)
			return why_fail(why, -EINVAL,
					"user-range contains the supervisor's own "
					"user: choose other ids");
	return 0;
}

static int check_users(const struct prong_options *options, struct why *why)
{
	const struct prong_privileges *privileges = options->privileges;
	unsigned least = USERS_IDS * options_max_processes(options);

	if (!has_users(options))
		return 0;
	if (options->user_first == 0 || options->user_count == 0 ||
	    options->user_count > USERS_MAX ||
	    options->user_first > ID_MAX - (options->user_count - 1))
		return why_fail(why, -EINVAL,
				"user-range must have 2 to %d ids, all of them from "
				"1 to %u",
				USERS_MAX, ID_MAX);
	if (options->user_count < least)
		return why_fail(why, -EINVAL,
				"user-range has %u ids but needs %u, two for each "
				"of max-processes: make it larger, or lower "
				"max-processes",
				options->user_count, least);
	if (privileges != NULL && privileges->change_ids)
		return why_fail(why, -EINVAL,
				"user-range cannot be combined with another user: "
				"it gives each program its own");
	if (privileges != NULL && privileges->drop == PRONG_DROP_SUPERVISOR)
		return why_fail(why, -EINVAL,
				"user-range needs drop-privileges child: a "
				"supervisor without privileges cannot give programs "
				"their users");
	return check_own_user(options, why);
}

int options_check(const struct prong_options *options, bool has_handler,
		  struct why *why)
{
	const struct model *model = options_model(options);
	int err = check_numbers(options, why);

	if (err == 0)
		err = check_tcp(options, why);
	if (err == 0 && model == NULL)
		return why_fail(why, -EINVAL, "accept has an unknown value");
	if (err == 0 && has_handler != model->calls_handler)
		err = why_fail(why, -EINVAL, "give either a handler or a program");
	if (err == 0)
		err = check_socket(options, why);
	if (err == 0)
		err = check_model(model, options, why);
	if (err == 0)
		err = check_effects(model, options, why);
	if (err == 0)
		err = check_users(options, why);
	return err == 0 ? check_privileges(options, why) : err;
}
