#include "effect.h"

#include <sys/socket.h>

#include <errno.h>
#include <string.h>

#define UNIX_PREFIX "unix:"

static bool serves_program(const struct effect_view *view)
{
	return view->program;
}

static bool serves_service(const struct effect_view *view)
{
	return !view->program;
}

static bool starts_cold(const struct effect_view *view)
{
	return view->program && !view->settings->warm;
}

static bool has_spares_of_cold_programs(const struct effect_view *view)
{
	return starts_cold(view) && view->settings->spare > 0;
}

static bool lacks_spares(const struct effect_view *view)
{
	return view->settings->spare == 0;
}

static bool has_attendants(const struct effect_view *view)
{
	return view->settings->program.resolve ||
	       view->settings->program.kill_descendants;
}

static bool reuses_program(const struct effect_view *view)
{
	return view->program && view->settings->reuse != 1;
}

static bool workers_accept(const struct effect_view *view)
{
	return view->settings->accept == PRONG_ACCEPT_WORKERS;
}

static bool programs_accept(const struct effect_view *view)
{
	return workers_accept(view) && view->program;
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

static bool limits_nothing(const struct effect_view *view)
{
	return !limits_sources(view) && view->settings->rate.count == 0;
}

/* A program is told how many connections of its source are open: TCPCONNNUM. */
static bool knows_no_sources(const struct effect_view *view)
{
	return !view->program && !limits_sources(view);
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

/* Whether no listener is for TCP; without any, the default is. */
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

static bool watches_unix_programs(const struct effect_view *view)
{
	return view->program && view->settings->idle_timeout_ms > 0 &&
	       is_unix_only(view);
}

static bool lacks_user(const struct effect_view *view)
{
	return view->settings->user == NULL;
}

static bool gives_up_nothing(const struct effect_view *view)
{
	return view->settings->user == NULL && view->settings->privileges.root == NULL;
}

static bool is_strict_for_program(const struct effect_view *view)
{
	return view->program && view->settings->sandbox == PRONG_SANDBOX_STRICT;
}

static bool has_sandbox(const struct effect_view *view)
{
	return !view->program && view->settings->sandbox != PRONG_SANDBOX_OFF;
}

#define FOR_PROGRAMS \
	"has no effect on a service: it is for a program, which stands after --"
#define UNCHECKED                                                               \
	"has no effect: --accept workers cannot limit, list or refuse clients," \
	" which workers take unchecked"
#define NO_REFUSAL                                                                 \
	"has no effect: no client is refused without --at-limit refuse, --allow, " \
	"--deny, --max-per-source, --rate-per-source or --rate"
#define FOR_TCP "has no effect on UNIX sockets, and -l names no TCP address"
#define FOR_PATH                                                                    \
	"has no effect: --socket-mode, --socket-user and --socket-group are for a " \
	"UNIX socket with a path, which -l names none of"

/*
 * An option that was given is refused where is_wrong holds: the sentence follows it. The
 * first row that applies is told. An option that always has an effect has NULL.
 */
static const struct effect {
	const char *option;
	bool (*is_wrong)(const struct effect_view *view);
	const char *sentence;
} effects[] = {
	{ "listen", NULL, NULL },
	{ "socket-mode", makes_no_files, FOR_PATH },
	{ "socket-user", makes_no_files, FOR_PATH },
	{ "socket-group", makes_no_files, FOR_PATH },
	{ "max-processes", NULL, NULL },
	{ "accept", programs_accept,
	  "workers is for services: programs cannot accept" },
	{ "accept", fresh_workers_accept, "workers needs --reuse other than 1" },
	{ "accept", no_workers_accept,
	  "workers needs --spare other than 0: it is the number of workers at least" },
	{ "spare", has_spares_of_cold_programs,
	  "has no effect without --warm: a program is started when its client comes" },
	{ "reuse", reuses_program,
	  "has no effect on a program: it serves one connection, so --reuse must be 1" },
	{ "at-limit", workers_refuse_at_limit, UNCHECKED },
	{ "max-per-source", workers_limit_each, UNCHECKED },
	{ "rate-per-source", workers_accept, UNCHECKED },
	{ "rate", workers_accept, UNCHECKED },
	{ "allow", workers_accept, UNCHECKED },
	{ "allow", is_unix_only, FOR_TCP },
	{ "deny", workers_accept, UNCHECKED },
	{ "deny", is_unix_only, FOR_TCP },
	{ "exempt", workers_accept, UNCHECKED },
	{ "exempt", limits_nothing,
	  "has no effect without a limit to be exempt from: --max-per-source, "
	  "--rate-per-source or --rate" },
	{ "exempt", is_unix_only, FOR_TCP },
	{ "source-prefix", workers_accept, UNCHECKED },
	{ "source-prefix", knows_no_sources,
	  "has no effect on a service without a limit for each source: "
	  "--max-per-source or --rate-per-source" },
	{ "source-prefix", is_unix_only, FOR_TCP },
	{ "refusal", has_reset_with_text,
	  "reset goes with no text: a reset carries no refusal-text" },
	{ "refusal", workers_accept, UNCHECKED },
	{ "refusal", refuses_nothing, NO_REFUSAL },
	{ "refusal", resets_unix, FOR_TCP },
	{ "refusal-text", has_two_texts,
	  "goes with --at-limit refuse: the text of --at-limit refuse:TEXT is another" },
	{ "refusal-text", workers_accept, UNCHECKED },
	{ "refusal-text", refuses_nothing, NO_REFUSAL },
	{ "idle-timeout", watches_unix_programs,
	  "has no effect on a program that is served on UNIX sockets only: the kernel "
	  "counts no bytes there (--session-timeout ends it all the same)" },
	{ "session-timeout", NULL, NULL },
	{ "grace", NULL, NULL },
	{ "linger", NULL, NULL },
	{ "user", NULL, NULL },
	{ "group", lacks_user, "goes with --user" },
	{ "chroot", NULL, NULL },
	{ "rlimit", NULL, NULL },
	{ "drop-privileges", gives_up_nothing,
	  "has no effect: there is nothing to give up without --user or --chroot" },
	{ "sandbox", is_strict_for_program,
	  "strict is for services: a program is not confined" },
	{ "sandbox", serves_program, "is for services: a program is not confined" },
	{ "allow-new-privs", has_sandbox,
	  "needs a program, or --sandbox off: there is no sandbox that allows new "
	  "privileges" },
	{ "env", serves_service, FOR_PROGRAMS },
	{ "chdir", serves_service, FOR_PROGRAMS },
	{ "umask", serves_service, FOR_PROGRAMS },
	{ "stderr", serves_service, FOR_PROGRAMS },
	{ "on-hangup", serves_service, FOR_PROGRAMS },
	{ "resolve", serves_service, FOR_PROGRAMS },
	{ "kill-descendants", serves_service, FOR_PROGRAMS },
	{ "warm", serves_service, FOR_PROGRAMS },
	{ "warm", has_attendants,
	  "goes with neither --resolve nor --kill-descendants" },
	{ "warm", lacks_spares,
	  "needs --spare other than 0: it is the number of programs kept started" },
	{ "ready-fd", NULL, NULL },
	{ "log-format", NULL, NULL },
	{ "banner", workers_accept,
	  "has no effect: --accept workers cannot send a banner" },
	{ "keepalive", is_unix_only, FOR_TCP },
	{ "user-timeout", is_unix_only, FOR_TCP },
	{ "log-level", NULL, NULL },
	{ "verbose", NULL, NULL },
	{ "quiet", NULL, NULL },
};

#define EFFECTS (sizeof(effects) / sizeof(effects[0]))

int effect_check(const struct effect_view *view, struct why *why)
{
	char typed[64];

	for (size_t i = 0; i < EFFECTS; i++)
		if (effects[i].is_wrong != NULL &&
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
