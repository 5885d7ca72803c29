#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"
#include "base/prefix.h"
#include "limit.h"
#include "service/service.h"

#define FIELD(name) offsetof(struct prongd_settings, name)

#define LINGER_BYTES_MAX (UINT64_C(1) << 30)

static int parse_at_limit(const struct option_row *row, const char *value, void *field,
			  struct why *why)
{
	struct prongd_settings *settings =
		(struct prongd_settings *)(void *)((char *)field - FIELD(at_limit));

	(void)row;
	settings->at_limit.text = NULL;
	if (strcmp(value, "wait") == 0) {
		settings->at_limit.policy = PRONG_WAIT;
		return 0;
	}
	settings->at_limit.policy = PRONG_REFUSE;
	if (strcmp(value, "refuse") == 0)
		return 0;
	if (strncmp(value, "refuse:", 7) == 0) {
		settings->at_limit.text = value + 7;
		return 0;
	}
	return why_fail(why, -EINVAL, "\"%.60s\" is none of wait, refuse, refuse:TEXT",
			value);
}

static int parse_source_prefix(const struct option_row *row, const char *value,
			       void *field, struct why *why)
{
	struct prongd_settings *settings =
		(struct prongd_settings *)(void *)((char *)field -
						   FIELD(source_prefix));
	size_t length = strcspn(value, ":");
	char ipv4[8] = "";
	uint64_t bits[2];

	(void)row;
	if (length < sizeof(ipv4))
		memcpy(ipv4, value, length);
	if (value[length] != ':' || number_parse(ipv4, 1, 32, &bits[0]) < 0 ||
	    number_parse(value + length + 1, 1, 128, &bits[1]) < 0)
		return why_fail(
			why, -EINVAL,
			"\"%.60s\" is not two lengths, of IPv4 (1 to 32) and of IPv6 (1 "
			"to 128): write 32:64",
			value);
	settings->source_prefix.ipv4 = (unsigned)bits[0];
	settings->source_prefix.ipv6 = (unsigned)bits[1];
	return 0;
}

/* One more, of a list that the library reads: here it is only looked at. */
static int parse_prefix(const struct option_row *row, const char *value, void *field,
			struct why *why)
{
	struct prefix prefix;
	int err = prefix_parse(&prefix, value, why);

	return err < 0 ? err : option_strings(row, value, field, why);
}

static int parse_on_hangup(const struct option_row *row, const char *value, void *field,
			   struct why *why)
{
	struct prong_program *program = field;

	(void)row;
	program->ignore_hangup = strcmp(value, "ignore") == 0;
	program->hangup_grace = 0;
	if (program->ignore_hangup || strcmp(value, "end") == 0)
		return 0;
	if (strncmp(value, "end:", 4) == 0 &&
	    number_parse_duration(value + 4, &program->hangup_grace) == 0 &&
	    program->hangup_grace > 0)
		return 0;
	return why_fail(why, -EINVAL,
			"\"%.60s\" is none of end, end:DURATION, ignore: write end:30s",
			value);
}

/* DURATION, or DURATION:SIZE. */
static int parse_linger(const struct option_row *row, const char *value, void *field,
			struct why *why)
{
	struct prongd_settings *settings =
		(struct prongd_settings *)(void *)((char *)field - FIELD(linger));
	size_t length = strcspn(value, ":");
	uint64_t bytes = 0;
	char duration[24] = "";

	(void)row;
	if (length < sizeof(duration))
		memcpy(duration, value, length);
	if (number_parse_duration(duration, &settings->linger.ms) < 0 ||
	    settings->linger.ms == 0 ||
	    (value[length] == ':' &&
	     number_parse_size(value + length + 1, 1, LINGER_BYTES_MAX, &bytes) < 0))
		return why_fail(
			why, -EINVAL,
			"\"%.60s\" is not a time over 0, or such a time and a size "
			"of up to 1G: write 2s or 2s:1M",
			value);
	settings->linger.bytes = (size_t)bytes;
	return 0;
}

static int parse_rlimit(const struct option_row *row, const char *value, void *field,
			struct why *why)
{
	struct prongd_settings *settings =
		(struct prongd_settings *)(void *)((char *)field - FIELD(limits));

	(void)row;
	if (settings->limits.count == OPTION_LIST_MAX)
		return why_fail(why, -EINVAL, "more than %d limits", OPTION_LIST_MAX);
	return limit_parse(&settings->limits.at[settings->limits.count++], value, why);
}

static int parse_env(const struct option_row *row, const char *value, void *field,
		     struct why *why)
{
	if (value[0] == '=' || value[0] == '\0')
		return why_fail(why, -EINVAL, "\"%.60s\" is not NAME or NAME=VALUE",
				value);
	return option_strings(row, value, field, why);
}

static const char *const accept_words[] = {
	[PRONG_ACCEPT_SUPERVISOR] = "supervisor",
	[PRONG_ACCEPT_WORKERS] = "workers",
	[PRONG_ACCEPT_WORKERS + 1] = NULL,
};

static const char *const refusal_words[] = {
	[PRONG_REFUSAL_CLOSE] = "close",
	[PRONG_REFUSAL_RESET] = "reset",
	NULL,
};

static const char *const drop_words[] = {
	[PRONG_DROP_CHILD] = "child",
	[PRONG_DROP_SUPERVISOR] = "supervisor",
	NULL,
};

static const char *const sandbox_words[] = {
	[PRONG_SANDBOX_OFF] = "off",
	[PRONG_SANDBOX_AUTO] = "auto",
	[PRONG_SANDBOX_STRICT] = "strict",
	NULL,
};

static const char *const stderr_words[] = {
	[PRONG_STDERR_LOG] = "log",
	[PRONG_STDERR_INHERIT] = "inherit",
	[PRONG_STDERR_CONNECTION] = "connection",
	[PRONG_STDERR_NULL] = "null",
	NULL,
};

static const char *const log_format_words[] = {
	[PRONG_LOGFMT] = "logfmt",
	[PRONG_LOG_JSON] = "json",
	NULL,
};

/* In the order of enum prong_log_level, which begins with PRONG_LOG_QUIET. */
enum level { LEVEL_QUIET, LEVEL_NORMAL, LEVEL_CONNECTIONS, LEVEL_VERBOSE };

static const char *const log_level_words[] = {
	[LEVEL_QUIET] = "quiet",
	[LEVEL_NORMAL] = "normal",
	[LEVEL_CONNECTIONS] = "connections",
	[LEVEL_VERBOSE] = "verbose",
	NULL,
};

static const struct option_row rows[] = {
	{ 'l', "listen", "ADDRESS", "127.0.0.1:7007",
	  "listen on host:port, :port (every address, both families), [v6]:port, "
	  "unix:/path or unix:@name (abstract); port 0 is the kernel's choice; repeatable",
	  option_strings, FIELD(listen), 0, 0, NULL },
	{ 0, "socket-mode", "MODE", NULL,
	  "give UNIX sockets with a path this file mode, octal, instead of the umask's",
	  value_socket_mode, FIELD(socket_mode), 0, 0, NULL },
	{ 0, "socket-user", "USER", NULL,
	  "give UNIX sockets with a path to this user, a name or a number",
	  option_string, FIELD(socket_user), 0, 0, NULL },
	{ 0, "socket-group", "GROUP", NULL, "give them to this group", option_string,
	  FIELD(socket_group), 0, 0, NULL },
	{ 'n', "max-processes", "N", "1000",
	  "serve so many connections at once, at most", option_number,
	  FIELD(max_processes), 1, 1000000, NULL },
	{ 's', "spare", "N", "8", "keep so many processes ready, forked in advance",
	  option_number, FIELD(spare), 0, 1000000, NULL },
	{ 'r', "reuse", "N|always", "1",
	  "replace a process after N connections, served one after the other, or never",
	  value_reuse, FIELD(reuse), 1, 1000000000, NULL },
	{ 0, "accept", "WHO", "supervisor",
	  "who takes connections off the queue: supervisor, or, of a pool, workers: "
	  "faster, without limits, lists and lines for single connections",
	  option_word, FIELD(accept), 0, 0, accept_words },
	{ 0, "at-limit", "POLICY", "wait",
	  "what a client meets when all processes are at work: wait (in the kernel's "
	  "queue), or refuse; refuse:TEXT is refuse with --refusal-text TEXT",
	  parse_at_limit, FIELD(at_limit), 0, 0, NULL },
	{ 0, "max-per-source", "N", "0",
	  "serve so many connections of one source at once, at most; 0 = no limit",
	  option_number, FIELD(max_per_source), 0, 1000000, NULL },
	{ 0, "rate-per-source", "N/DURATION[:BURST]", NULL,
	  "let in so many clients of one source in so long, and BURST at once (N): 10/s, "
	  "30/1m:5",
	  value_rate, FIELD(rate_per_source), 0, 0, NULL },
	{ 0, "rate", "N/DURATION[:BURST]", NULL, "the same for all sources together",
	  value_rate, FIELD(rate), 0, 0, NULL },
	{ 0, "source-prefix", "IPV4:IPV6", "32:64",
	  "what one source is: clients whose addresses have so many first bits in common",
	  parse_source_prefix, FIELD(source_prefix), 0, 0, NULL },
	{ 0, "allow", "CIDR", NULL,
	  "let clients of this prefix in, or \"all\"; the longest prefix of --allow and "
	  "--deny decides; given alone, it denies all others; repeatable",
	  parse_prefix, FIELD(allow), 0, 0, NULL },
	{ 0, "deny", "CIDR", NULL,
	  "refuse clients of this prefix, or \"all\"; repeatable", parse_prefix,
	  FIELD(deny), 0, 0, NULL },
	{ 0, "exempt", "CIDR", NULL,
	  "leave clients of this prefix out of --max-per-source, --rate-per-source and --rate; "
	  "repeatable",
	  parse_prefix, FIELD(exempt), 0, 0, NULL },
	{ 0, "refusal", "HOW", "close",
	  "how clients are refused: close, or reset (fewer packets)", option_word,
	  FIELD(refusal), 0, 0, refusal_words },
	{ 0, "refusal-text", "TEXT", NULL, "what refused clients are sent first",
	  option_string, FIELD(refusal_text), 0, 0, NULL },
	{ 0, "banner", "TEXT", NULL,
	  "what clients are sent first, before the program or service has them; \\r, \\n, "
	  "\\t and \\\\ stand for CR, LF, tab and backslash",
	  value_banner, FIELD(banner), 0, 0, NULL },
	{ 0, "keepalive", "IDLE:INTERVAL:COUNT", NULL,
	  "TCP: probe a client that has been silent for IDLE, then each INTERVAL, and give "
	  "it up after COUNT probes: 5m:30s:4; or off; otherwise the system's times",
	  value_keepalive, FIELD(keepalive), 0, 0, NULL },
	{ 0, "user-timeout", "DURATION", "0",
	  "TCP: give a client up that has not acknowledged what it was sent for DURATION; "
	  "0 = the system's time",
	  option_duration, FIELD(user_timeout_ms), 0, 0, NULL },
	{ 0, "idle-timeout", "DURATION", "0",
	  "end a connection on which no byte has moved for so long: 500ms, 30s, 5m; "
	  "0 = never",
	  option_duration, FIELD(idle_timeout_ms), 0, 0, NULL },
	{ 0, "session-timeout", "DURATION", "0",
	  "end a connection after so long, whatever it does; 0 = never",
	  option_duration, FIELD(session_timeout_ms), 0, 0, NULL },
	{ 0, "grace", "DURATION", "30s",
	  "let sessions finish for so long from the first stop signal to SIGKILL",
	  option_duration, FIELD(grace_ms), 0, 0, NULL },
	{ 0, "linger", "DURATION[:SIZE]", "2s:1M",
	  "after the last byte, read on for at most DURATION and SIZE before closing, so "
	  "that unread input does not cut the reply",
	  parse_linger, FIELD(linger), 0, 0, NULL },
	{ 0, "user", "USER", NULL,
	  "serve as this user, a name or a number, with its groups", option_string,
	  FIELD(user), 0, 0, NULL },
	{ 0, "group", "GROUP", NULL, "with this group instead of the user's own",
	  option_string, FIELD(group), 0, 0, NULL },
	{ 0, "user-range", "FIRST:COUNT", NULL,
	  "program: run each as a user and group of its own, of COUNT numbers from FIRST on "
	  "that nothing else has; two for each of --max-processes",
	  value_user_range, FIELD(user_range), 1, UINT32_MAX - 1, NULL },
	{ 0, "chroot", "DIR", NULL, "serve in this root directory", option_string,
	  FIELD(privileges.root), 0, 0, NULL },
	{ 0, "rlimit", "NAME=SOFT[:HARD]", NULL,
	  "serve with this resource limit in each process: nofile=64, as=512M:1G, "
	  "cpu=10, core=unlimited; repeatable",
	  parse_rlimit, FIELD(limits), 0, 0, NULL },
	{ 0, "drop-privileges", "WHO", "child",
	  "who gives up --user, --group and --chroot: each child, or, once the addresses "
	  "are bound, the supervisor",
	  option_word, FIELD(privileges.drop), 0, 0, drop_words },
	{ 0, "sandbox", "HOW", "auto",
	  "services: take from their processes all but their connection: auto (with what "
	  "the kernel has), strict (or do not start) or off",
	  option_word, FIELD(sandbox), 0, 0, sandbox_words },
	{ 0, "allow-new-privs", NULL, NULL,
	  "let a program, and what it starts, gain rights by set-user-ID, set-group-ID and "
	  "file capabilities, as sudo and mail need; a program of root always may",
	  option_flag, FIELD(privileges.allow_new_privs), 0, 0, NULL },
	{ 0, "allow-debugging", NULL, NULL,
	  "program: let each look into the others, as debuggers do (ptrace(2)); otherwise each "
	  "is kept to itself and what it starts",
	  option_flag, FIELD(program.allow_debugging), 0, 0, NULL },
	{ 0, "env", "NAME[=VALUE]", NULL,
	  "program: give it this variable beside PATH and those of the connection; "
	  "without a value, that of prongd's own environment; repeatable",
	  parse_env, FIELD(env), 0, 0, NULL },
	{ 0, "chdir", "DIR", NULL, "program: start it in this directory", option_string,
	  FIELD(program.directory), 0, 0, NULL },
	{ 0, "umask", "MASK", NULL, "program: start it with this file mode mask, octal",
	  value_umask, FIELD(program), 0, 0, NULL },
	{ 0, "stderr", "WHERE", "log",
	  "program: its standard error: to the log, line by line (log), prongd's own "
	  "(inherit), connection or null",
	  option_word, FIELD(program.error_output), 0, 0, stderr_words },
	{ 0, "on-hangup", "WHAT", "end:5s",
	  "program: after a reset by its client: end it by TERM and, after DURATION, its "
	  "group, too (end or end:DURATION), or ignore the reset (ignore)",
	  parse_on_hangup, FIELD(program), 0, 0, NULL },
	{ 0, "resolve", NULL, NULL,
	  "program: look up the names of both ends, and confirm them, for its environment",
	  option_flag, FIELD(program.resolve), 0, 0, NULL },
	{ 0, "kill-descendants", NULL, NULL,
	  "program: when it has ended, end whatever it has left behind", option_flag,
	  FIELD(program.kill_descendants), 0, 0, NULL },
	{ 0, "warm", NULL, NULL,
	  "program: keep --spare of them started and linked, waiting for a connection "
	  "before their main begins; only for programs dynamically linked with glibc",
	  option_flag, FIELD(warm), 0, 0, NULL },
	{ 0, "ready-fd", "FD", NULL,
	  "when ready, write a line \"host:port\" for each listener there and close it",
	  value_ready_fd, FIELD(ready_fd), 1, 1000000, NULL },
	{ 0, "log-format", "FORMAT", "logfmt", "logfmt or json, on stderr", option_word,
	  FIELD(log_format), 0, 0, log_format_words },
	{ 0, "log-level", "LEVEL", "normal",
	  "log errors only (quiet), also the start, the stop, limits and failures "
	  "(normal), also one line for each connection (connections), or every event "
	  "(verbose); the last of --log-level, -v and -q counts",
	  option_word, FIELD(log_level), 0, 0, log_level_words },
	{ 'v', "verbose", NULL, NULL, "the same as --log-level verbose",
	  value_log_level, FIELD(log_level), LEVEL_VERBOSE, 0, NULL },
	{ 'q', "quiet", NULL, NULL, "the same as --log-level quiet", value_log_level,
	  FIELD(log_level), LEVEL_QUIET, 0, NULL },
	{ .name = NULL },
};

static const char *const usage[] = {
	"prongd [OPTION]... SERVICE",
	"prongd [OPTION]... -- PROGRAM [ARG]...",
	NULL,
};

static void print_services(FILE *out)
{
	fputs("\nservices:\n", out);
	for (const struct service *service = services; service->name != NULL; service++)
		fprintf(out, "  %-10s %s (%s)\n", service->name, service->what,
			service->rfc);
}

const struct option_page prongd_page = {
	.program = "prongd",
	.version = "prongd " PRONG_VERSION,
	.usage = usage,
	.summary = "Serve TCP connections, each with a process of its own: a built-in "
		   "service, or\nany program with the connection as standard input and "
		   "output.",
	.rows = rows,
	.epilogue =
		"signals: TERM, INT: stop accepting, let sessions finish; a second one, or\n"
		"         QUIT: stop now; USR1: log the totals\n"
		"exit:    0 stopped as asked, 1 could not start or failed, 2 bad usage\n",
	.print_more = print_services,
};

const struct prongd_settings prongd_defaults = {
	.max_processes = 1000,
	.spare = 8,
	.reuse = 1,
	.grace_ms = 30000,
	.sandbox = PRONG_SANDBOX_AUTO,
	.ready_fd = -1,
	.log_level = LEVEL_NORMAL,
};

void prongd_fill_options(struct prong_options *options,
			 const struct prongd_settings *settings)
{
	*options = (struct prong_options){
		.size = sizeof(*options),
		.listen = settings->listen.count > 0 ? settings->listen.at : NULL,
		.socket.mode = settings->socket_mode,
		.max_processes = settings->max_processes,
		.spare = settings->spare,
		.reuse = settings->reuse,
		.accept = settings->accept,
		.at_limit = settings->at_limit.policy,
		.refusal = settings->refusal,
		.refusal_text = settings->refusal_text != NULL
					? settings->refusal_text
					: settings->at_limit.text,
		.banner = settings->banner.text,
		.no_keepalive = settings->keepalive.off,
		.keepalive_idle = settings->keepalive.idle_ms,
		.keepalive_interval = settings->keepalive.interval_ms,
		.keepalive_count = settings->keepalive.count,
		.user_timeout = settings->user_timeout_ms,
		.allow = settings->allow.at,
		.deny = settings->deny.at,
		.exempt = settings->exempt.at,
		.max_per_source = settings->max_per_source,
		.rate_per_source = settings->rate_per_source,
		.rate = settings->rate,
		.source_prefix_ipv4 = settings->source_prefix.ipv4,
		.source_prefix_ipv6 = settings->source_prefix.ipv6,
		.idle_timeout = settings->idle_timeout_ms,
		.session_timeout = settings->session_timeout_ms,
		.grace = settings->grace_ms == 0 ? -1 : settings->grace_ms,
		.linger = settings->linger.ms,
		.linger_bytes = settings->linger.bytes,
		.ready_fd = settings->ready_fd > 0 ? settings->ready_fd : 0,
		.user_first = settings->user_range.first,
		.user_count = settings->user_range.count,
		.log_fd = 2,
		.log_format = settings->log_format,
		.log_level = PRONG_LOG_QUIET + (int)settings->log_level,
	};
}

void prongd_fill_privileges(struct prong_privileges *privileges,
			    const struct prongd_settings *settings)
{
	*privileges = settings->privileges;
	privileges->limits = settings->limits.at;
	privileges->limit_count = settings->limits.count;
}

void prongd_fill_program(struct prong_program *program,
			 const struct prongd_settings *settings)
{
	*program = settings->program;
	program->env = settings->env.at;
}
