#include "effect.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#define UNIX_PREFIX "unix:"

static bool has_cold_spares(const struct effect_view *view)
{
	return !view->settings->warm && view->settings->spare > 0;
}

static bool lacks_spares(const struct effect_view *view)
{
	return view->settings->spare == 0;
}

static bool looks_up_or_is_monitored(const struct effect_view *view)
{
	return view->settings->program.resolve ||
	       view->settings->program.kill_descendants;
}

static bool reuses(const struct effect_view *view)
{
	return view->settings->reuse != 1;
}

static bool workers_accept(const struct effect_view *view)
{
	return view->settings->accept == PRONG_ACCEPT_WORKERS;
}

static bool fresh_workers_accept(const struct effect_view *view)
{
	return workers_accept(view) && view->settings->reuse == 1;
}

static bool no_workers_accept(const struct effect_view *view)
{
	return workers_accept(view) && view->settings->spare == 0;
}

static bool workers_refuse_at_limit(const struct effect_view *view)
{
	return workers_accept(view) && view->settings->at_limit.policy == PRONG_REFUSE;
}

static bool workers_limit_each(const struct effect_view *view)
{
	return workers_accept(view) && view->settings->max_per_source > 0;
}

static bool limits_sources(const struct effect_view *view)
{
	return view->settings->max_per_source > 0 ||
	       view->settings->rate_per_source.count > 0;
}

static bool limits_no_source(const struct effect_view *view)
{
	return !limits_sources(view);
}

static bool limits_nothing(const struct effect_view *view)
{
	return !limits_sources(view) && view->settings->rate.count == 0;
}

static bool refuses_nothing(const struct effect_view *view)
{
	const struct prongd_settings *settings = view->settings;

	return limits_nothing(view) && settings->at_limit.policy == PRONG_WAIT &&
	       settings->allow.count == 0 && settings->deny.count == 0;
}

static bool has_reset_with_text(const struct effect_view *view)
{
	const struct prongd_settings *settings = view->settings;

	return settings->refusal == PRONG_REFUSAL_RESET &&
	       (settings->refusal_text != NULL || settings->at_limit.text != NULL);
}

static bool has_two_texts(const struct effect_view *view)
{
	return view->settings->at_limit.text != NULL;
}

static bool has_text(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Whether no listener is for TCP; without -l the default listener is. */
static bool is_unix_only(const struct effect_view *view)
{
	const struct option_strings *listen = &view->settings->listen;

	for (unsigned i = 0; i < listen->count; i++)
		if (!has_text(listen->at[i], UNIX_PREFIX))
			return false;
	for (size_t i = 0; i < view->listen_fd_count; i++) {
		int family = AF_UNSPEC;
		socklen_t size = sizeof(family);

		getsockopt(view->listen_fds[i], SOL_SOCKET, SO_DOMAIN, &family, &size);
		if (family != AF_UNIX)
			return false;
	}
	return listen->count > 0 || view->listen_fd_count > 0;
}

static bool makes_no_files(const struct effect_view *view)
{
	const struct option_strings *listen = &view->settings->listen;

	for (unsigned i = 0; i < listen->count; i++)
		if (has_text(listen->at[i], UNIX_PREFIX) &&
		    !has_text(listen->at[i], UNIX_PREFIX "@"))
			return false;
	return true;
}

static bool resets_unix(const struct effect_view *view)
{
	return view->settings->refusal == PRONG_REFUSAL_RESET && is_unix_only(view);
}

static bool is_idle_unix(const struct effect_view *view)
{
	return view->settings->idle_timeout_ms > 0 && is_unix_only(view);
}

static bool lacks_user(const struct effect_view *view)
{
	return view->settings->user == NULL;
}

static bool gives_up_nothing(const struct effect_view *view)
{
	const struct prongd_settings *settings = view->settings;

	return settings->user == NULL && settings->user_range.count == 0 &&
	       settings->privileges.root == NULL;
}

static bool has_user(const struct effect_view *view)
{
	return view->settings->user != NULL;
}

static bool drops_in_supervisor(const struct effect_view *view)
{
	return view->settings->privileges.drop == PRONG_DROP_SUPERVISOR;
}

static bool is_strict(const struct effect_view *view)
{
	return view->settings->sandbox == PRONG_SANDBOX_STRICT;
}

static bool has_sandbox(const struct effect_view *view)
{
	return view->settings->sandbox != PRONG_SANDBOX_OFF;
}

static bool always(const struct effect_view *view)
{
	(void)view;
	return true;
}

#define SERVICE EFFECT_SERVICE
#define PROGRAM EFFECT_PROGRAM
#define BOTH    (EFFECT_SERVICE | EFFECT_PROGRAM)

#define FOR_PROGRAMS \
	"has no effect on a service: it is for a program, which goes after --"
#define UNCHECKED \
	"has no effect: with --accept workers, workers accept clients unchecked"
#define NO_REFUSAL                                                                 \
	"has no effect: no client is refused without --at-limit refuse, --allow, " \
	"--deny, --max-per-source, --rate-per-source or --rate"
#define FOR_TCP  "has no effect on UNIX sockets, and -l names no TCP address"
#define FOR_PATH "has no effect: it is for UNIX sockets with a path, and -l names none"

/*
 * An option that was given is refused if is_wrong holds for what is served; the
 * sentence follows its name. The first row that applies decides. An option that always
 * has an effect has NULL. --source-prefix always has an effect on a program, which is
 * told how many connections of its source are open (TCPCONNNUM).
 */
static const struct effect {
	const char *option;
	unsigned served; /* EFFECT_..., one or both */
	bool (*is_wrong)(const struct effect_view *view);
	const char *sentence;
} effects[] = {
	{ "listen", BOTH, NULL, NULL },
	{ "socket-mode", BOTH, makes_no_files, FOR_PATH },
	{ "socket-user", BOTH, makes_no_files, FOR_PATH },
	{ "socket-group", BOTH, makes_no_files, FOR_PATH },
	{ "max-processes", BOTH, NULL, NULL },
	{ "accept", PROGRAM, workers_accept,
	  "workers is for services: a program cannot accept connections" },
	{ "accept", BOTH, fresh_workers_accept, "workers needs --reuse other than 1" },
	{ "accept", BOTH, no_workers_accept,
	  "workers needs --spare to be at least 1: it is the smallest number of "
	  "workers" },
	{ "spare", PROGRAM, has_cold_spares,
	  "has no effect without --warm: a program is started when its client comes" },
	{ "reuse", PROGRAM, reuses,
	  "has no effect on a program: it serves one connection, so --reuse must be 1" },
	{ "at-limit", BOTH, workers_refuse_at_limit, UNCHECKED },
	{ "max-per-source", BOTH, workers_limit_each, UNCHECKED },
	{ "rate-per-source", BOTH, workers_accept, UNCHECKED },
	{ "rate", BOTH, workers_accept, UNCHECKED },
	{ "allow", BOTH, workers_accept, UNCHECKED },
	{ "allow", BOTH, is_unix_only, FOR_TCP },
	{ "deny", BOTH, workers_accept, UNCHECKED },
	{ "deny", BOTH, is_unix_only, FOR_TCP },
	{ "exempt", BOTH, workers_accept, UNCHECKED },
	{ "exempt", BOTH, limits_nothing,
	  "has no effect without a limit: --max-per-source, --rate-per-source or "
	  "--rate" },
	{ "exempt", BOTH, is_unix_only, FOR_TCP },
	{ "source-prefix", BOTH, workers_accept, UNCHECKED },
	{ "source-prefix", SERVICE, limits_no_source,
	  "has no effect on a service without a limit for each source: "
	  "--max-per-source or --rate-per-source" },
	{ "source-prefix", BOTH, is_unix_only, FOR_TCP },
	{ "refusal", BOTH, has_reset_with_text,
	  "reset cannot be combined with a text: a reset carries none" },
	{ "refusal", BOTH, workers_accept, UNCHECKED },
	{ "refusal", BOTH, refuses_nothing, NO_REFUSAL },
	{ "refusal", BOTH, resets_unix, FOR_TCP },
	{ "refusal-text", BOTH, has_two_texts,
	  "cannot be combined with --at-limit refuse:TEXT, which sets the same text" },
	{ "refusal-text", BOTH, workers_accept, UNCHECKED },
	{ "refusal-text", BOTH, refuses_nothing, NO_REFUSAL },
	{ "idle-timeout", PROGRAM, is_idle_unix,
	  "has no effect on a program that is served on UNIX sockets only, where "
	  "the kernel counts no bytes (--session-timeout does have one)" },
	{ "session-timeout", BOTH, NULL, NULL },
	{ "grace", BOTH, NULL, NULL },
	{ "linger", BOTH, NULL, NULL },
	{ "user", BOTH, NULL, NULL },
	{ "group", BOTH, lacks_user, "needs --user" },
	{ "user-range", SERVICE, always, FOR_PROGRAMS },
	{ "user-range", BOTH, has_user,
	  "cannot be combined with --user: it gives each program a user of its own" },
	{ "user-range", BOTH, drops_in_supervisor,
	  "needs --drop-privileges child: a supervisor that has given up its "
	  "privileges cannot give programs their users" },
	{ "chroot", BOTH, NULL, NULL },
	{ "rlimit", BOTH, NULL, NULL },
	{ "drop-privileges", BOTH, gives_up_nothing,
	  "has no effect without --user, --user-range or --chroot" },
	{ "sandbox", PROGRAM, is_strict,
	  "strict is for services: programs are not sandboxed" },
	{ "sandbox", PROGRAM, always, "is for services: programs are not sandboxed" },
	{ "allow-new-privs", SERVICE, has_sandbox,
	  "needs a program or --sandbox off: in a sandbox no service gains "
	  "privileges" },
	{ "allow-debugging", SERVICE, always, FOR_PROGRAMS },
	{ "env", SERVICE, always, FOR_PROGRAMS },
	{ "chdir", SERVICE, always, FOR_PROGRAMS },
	{ "umask", SERVICE, always, FOR_PROGRAMS },
	{ "stderr", SERVICE, always, FOR_PROGRAMS },
	{ "on-hangup", SERVICE, always, FOR_PROGRAMS },
	{ "resolve", SERVICE, always, FOR_PROGRAMS },
	{ "kill-descendants", SERVICE, always, FOR_PROGRAMS },
	{ "warm", SERVICE, always, FOR_PROGRAMS },
	{ "warm", BOTH, looks_up_or_is_monitored,
	  "cannot be combined with --resolve or --kill-descendants" },
	{ "warm", BOTH, lacks_spares,
	  "needs --spare to be at least 1: it is the number of programs kept ready" },
	{ "ready-fd", BOTH, NULL, NULL },
	{ "log-format", BOTH, NULL, NULL },
	{ "banner", BOTH, workers_accept,
	  "has no effect: workers of --accept workers cannot send a banner" },
	{ "keepalive", BOTH, is_unix_only, FOR_TCP },
	{ "user-timeout", BOTH, is_unix_only, FOR_TCP },
	{ "log-level", BOTH, NULL, NULL },
	{ "verbose", BOTH, NULL, NULL },
	{ "quiet", BOTH, NULL, NULL },
};

#define EFFECTS (sizeof(effects) / sizeof(effects[0]))

int effect_check(const struct effect_view *view, struct why *why)
{
	char typed[64];

	for (size_t i = 0; i < EFFECTS; i++)
		if ((effects[i].served & view->served) != 0 &&
		    effects[i].is_wrong != NULL &&
		    option_typed(&prongd_page, view->given, effects[i].option, typed,
				 sizeof(typed)) &&
		    effects[i].is_wrong(view))
			return why_fail(why, -EINVAL, "%s %s", typed,
					effects[i].sentence);
	return 0;
}

bool effect_is_known(const char *name)
{
	for (size_t i = 0; i < EFFECTS; i++)
		if (strcmp(effects[i].option, name) == 0)
			return true;
	return false;
}
