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
	return why_fail(why, -EINVAL,
			"\"%.60s\" is not one of wait, refuse, "
			"refuse:TEXT",
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
			"\"%.60s\" is not two prefix lengths, for IPv4 (1 to 32) "
			"and for IPv6 (1 to 128): write 32:64",
			value);
	settings->source_prefix.ipv4 = (unsigned)bits[0];
	settings->source_prefix.ipv6 = (unsigned)bits[1];
	return 0;
}

/* Appends to a list that the library reads later; here the prefix is only checked. */
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
			"\"%.60s\" is not one of end, end:DURATION, ignore: write "
			"end:30s",
			value);
}

/* Reads DURATION or DURATION:SIZE. */
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
			"\"%.60s\" is not a duration over 0, or such a duration and "
			"a size of at most 1G: write 2s or 2s:1M",
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
		return why_fail(why, -EINVAL, "given more than %d times",
				OPTION_LIST_MAX);
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
	  "listen on HOST:PORT, :PORT (every address, IPv4 and IPv6), [IPV6]:PORT, "
	  "unix:/PATH or unix:@NAME (abstract). With PORT 0 the kernel chooses a "
	  "port. Repeatable",
	  option_strings, FIELD(listen), 0, 0, NULL },
	{ 0, "socket-mode", "MODE", NULL,
	  "set the file mode of UNIX sockets that have a path to MODE, octal. By "
	  "default the umask decides",
	  value_socket_mode, FIELD(socket_mode), 0, 0, NULL },
	{ 0, "socket-user", "USER", NULL,
	  "set the owner of these UNIX sockets to USER, a name or a number",
	  option_string, FIELD(socket_user), 0, 0, NULL },
	{ 0, "socket-group", "GROUP", NULL,
	  "set the group of these UNIX sockets to GROUP, a name or a number",
	  option_string, FIELD(socket_group), 0, 0, NULL },
	{ 0, "ready-fd", "FD", NULL,
	  "once prongd serves, write each address that it listens on as a line to "
	  "descriptor FD, and close FD",
	  value_ready_fd, FIELD(ready_fd), 1, 1000000, NULL },

	{ 'n', "max-processes", "N", "1000",
	  "serve at most N connections at once, each with a process", option_number,
	  FIELD(max_processes), 1, 1000000, NULL },
	{ 0, "at-limit", "POLICY", "wait",
	  "when all processes are busy, let further clients wait in the kernel's "
	  "backlog (wait) or refuse them (refuse). refuse:TEXT means refuse with "
	  "--refusal-text TEXT",
	  parse_at_limit, FIELD(at_limit), 0, 0, NULL },
	{ 0, "max-per-source", "N", "0",
	  "serve at most N connections of one source at once; 0 = no limit",
	  option_number, FIELD(max_per_source), 0, 1000000, NULL },
	{ 0, "rate-per-source", "N/DURATION[:BURST]", NULL,
	  "admit N clients per DURATION from one source, and at most BURST (default N) "
	  "in quick succession: 10/s, 30/1m:5",
	  value_rate, FIELD(rate_per_source), 0, 0, NULL },
	{ 0, "rate", "N/DURATION[:BURST]", NULL,
	  "admit N clients per DURATION from all sources together, and at most BURST "
	  "(default N) in quick succession",
	  value_rate, FIELD(rate), 0, 0, NULL },
	{ 0, "exempt", "CIDR", NULL,
	  "do not apply --max-per-source, --rate-per-source and --rate to clients "
	  "in CIDR. Repeatable",
	  parse_prefix, FIELD(exempt), 0, 0, NULL },
	{ 0, "source-prefix", "IPV4:IPV6", "32:64",
	  "count clients as one source if the first IPV4 bits of their IPv4 addresses, or "
	  "the first IPV6 bits of their IPv6 addresses, are equal",
	  parse_source_prefix, FIELD(source_prefix), 0, 0, NULL },

	{ 0, "idle-timeout", "DURATION", "0",
	  "close a connection after DURATION without traffic: 500ms, 30s, 5m; 0 = never",
	  option_duration, FIELD(idle_timeout_ms), 0, 0, NULL },
	{ 0, "session-timeout", "DURATION", "0",
	  "end a session DURATION after its connection was accepted, with or without "
	  "traffic; 0 = never",
	  option_duration, FIELD(session_timeout_ms), 0, 0, NULL },
	{ 0, "grace", "DURATION", "30s",
	  "after the first stop signal, give sessions DURATION to finish, then kill them",
	  option_duration, FIELD(grace_ms), 0, 0, NULL },
	{ 0, "linger", "DURATION[:SIZE]", "2s:1M",
	  "after the last byte of a reply, read and discard input for at most DURATION "
	  "and SIZE bytes, so that unread input does not cut off the reply",
	  parse_linger, FIELD(linger), 0, 0, NULL },
	{ 0, "keepalive", "IDLE:INTERVAL:COUNT", NULL,
	  "TCP: probe a client after IDLE without traffic, then every INTERVAL, and "
	  "drop it after COUNT unanswered probes: 5m:30s:4; or off. By default the "
	  "system's times apply",
	  value_keepalive, FIELD(keepalive), 0, 0, NULL },
	{ 0, "user-timeout", "DURATION", "0",
	  "TCP: drop a client that has not acknowledged data for DURATION; 0 = the "
	  "system's time",
	  option_duration, FIELD(user_timeout_ms), 0, 0, NULL },

	{ 0, "allow", "CIDR", NULL,
	  "admit clients in CIDR, or \"all\". Where --allow and --deny both match, "
	  "the longer prefix decides. Without --deny, all other clients are "
	  "refused. Repeatable",
	  parse_prefix, FIELD(allow), 0, 0, NULL },
	{ 0, "deny", "CIDR", NULL, "refuse clients in CIDR, or \"all\". Repeatable",
	  parse_prefix, FIELD(deny), 0, 0, NULL },
	{ 0, "refusal", "METHOD", "close",
	  "end the connections of refused clients in order (close), or reset them, which "
	  "takes fewer packets (reset)",
	  option_word, FIELD(refusal), 0, 0, refusal_words },
	{ 0, "refusal-text", "TEXT", NULL,
	  "send TEXT to a refused client before its connection is closed",
	  option_string, FIELD(refusal_text), 0, 0, NULL },
	{ 0, "banner", "TEXT", NULL,
	  "send TEXT to each admitted client before the service or program gets the "
	  "connection. \\r, \\n, \\t and \\\\ stand for CR, LF, tab and backslash",
	  value_banner, FIELD(banner), 0, 0, NULL },

	{ 's', "spare", "N", "8",
	  "keep N idle processes ready, forked before their clients come. For a program: 0, "
	  "or 8 with --warm",
	  option_number, FIELD(spare), 0, 1000000, NULL },
	{ 'r', "reuse", "N|always", "1",
	  "replace a process after it has served N connections, one after the other. "
	  "With always, never replace it",
	  value_reuse, FIELD(reuse), 1, 1000000000, NULL },
	{ 0, "accept", "PROCESS", "supervisor",
	  "accept connections in the supervisor, or in the workers (pools only). "
	  "Workers are faster, but have no per-source limits, no access lists and "
	  "no per-connection log lines",
	  option_word, FIELD(accept), 0, 0, accept_words },

	{ 0, "user", "USER", NULL,
	  "serve as USER, a name or a number, with the groups of that user",
	  option_string, FIELD(user), 0, 0, NULL },
	{ 0, "group", "GROUP", NULL,
	  "serve with GROUP instead of the user's own group. Needs --user",
	  option_string, FIELD(group), 0, 0, NULL },
	{ 0, "user-range", "FIRST:COUNT", NULL,
	  "programs: run each as a user and group of its own. The COUNT numbers "
	  "from FIRST on must belong to nothing else. COUNT must be at least twice "
	  "--max-processes",
	  value_user_range, FIELD(user_range), 1, UINT32_MAX - 1, NULL },
	{ 0, "chroot", "DIR", NULL, "serve with DIR as root directory", option_string,
	  FIELD(privileges.root), 0, 0, NULL },
	{ 0, "rlimit", "NAME=SOFT[:HARD]", NULL,
	  "set a resource limit of each serving process: nofile=64, as=512M:1G, "
	  "cpu=10, core=unlimited. Repeatable",
	  parse_rlimit, FIELD(limits), 0, 0, NULL },
	{ 0, "drop-privileges", "PROCESS", "child",
	  "apply --user, --group and --chroot in each child, or once in the supervisor "
	  "after it has bound its addresses",
	  option_word, FIELD(privileges.drop), 0, 0, drop_words },
	{ 0, "sandbox", "MODE", "auto",
	  "services: confine each process to its connection, as far as the kernel can "
	  "(auto), entirely or do not start (strict), or not at all (off)",
	  option_word, FIELD(sandbox), 0, 0, sandbox_words },
	{ 0, "allow-new-privs", NULL, NULL,
	  "let a program, and what it starts, gain privileges by set-user-ID, "
	  "set-group-ID and file capabilities, as sudo and mail need. A program of "
	  "root always may",
	  option_flag, FIELD(privileges.allow_new_privs), 0, 0, NULL },
	{ 0, "allow-debugging", NULL, NULL,
	  "let programs look into each other, as debuggers do (ptrace(2)). By "
	  "default a program can look only into processes that it has started",
	  option_flag, FIELD(program.allow_debugging), 0, 0, NULL },

	{ 0, "env", "NAME[=VALUE]", NULL,
	  "set this variable for the program, besides PATH and those of the "
	  "connection. NAME alone passes on prongd's own value. Repeatable",
	  parse_env, FIELD(env), 0, 0, NULL },
	{ 0, "chdir", "DIR", NULL, "start the program in DIR", option_string,
	  FIELD(program.directory), 0, 0, NULL },
	{ 0, "umask", "MASK", NULL,
	  "start the program with the file mode mask MASK, octal", value_umask,
	  FIELD(program), 0, 0, NULL },
	{ 0, "stderr", "WHERE", "log",
	  "send the program's standard error to the log, line by line (log), to prongd's "
	  "standard error (inherit), to the client (connection) or nowhere (null)",
	  option_word, FIELD(program.error_output), 0, 0, stderr_words },
	{ 0, "on-hangup", "ACTION", "end:5s",
	  "when the client has reset the connection, send TERM to the program and, "
	  "after DURATION, end its process group (end or end:DURATION), or let the "
	  "program run on (ignore)",
	  parse_on_hangup, FIELD(program), 0, 0, NULL },
	{ 0, "resolve", NULL, NULL,
	  "look up the host names of client and server for the program's "
	  "environment. A name counts only if it resolves back to the address that "
	  "was looked up",
	  option_flag, FIELD(program.resolve), 0, 0, NULL },
	{ 0, "kill-descendants", NULL, NULL,
	  "when the program has ended, end all processes that it has left behind",
	  option_flag, FIELD(program.kill_descendants), 0, 0, NULL },
	{ 0, "warm", NULL, NULL,
	  "keep --spare programs started and linked, waiting for a connection "
	  "before main(). Only for programs that are dynamically linked with glibc",
	  option_flag, FIELD(warm), 0, 0, NULL },

	{ 0, "log-level", "LEVEL", "normal",
	  "log errors only (quiet). normal adds start, stop, limits and failures. "
	  "connections adds one line for each connection. verbose logs every event. "
	  "The last of --log-level, -v and -q counts",
	  option_word, FIELD(log_level), 0, 0, log_level_words },
	{ 'v', "verbose", NULL, NULL, "the same as --log-level verbose",
	  value_log_level, FIELD(log_level), LEVEL_VERBOSE, 0, NULL },
	{ 'q', "quiet", NULL, NULL, "the same as --log-level quiet", value_log_level,
	  FIELD(log_level), LEVEL_QUIET, 0, NULL },
	{ 0, "log-format", "FORMAT", "logfmt",
	  "write log lines as key=value pairs (logfmt) or as JSON objects (json)",
	  option_word, FIELD(log_format), 0, 0, log_format_words },
	{ .name = NULL },
};

static const struct option_group groups[] = {
	{ "Listening", "listen" },      { "Limits", "max-processes" },
	{ "Timeouts", "idle-timeout" }, { "Access", "allow" },
	{ "Processes", "spare" },       { "Privileges", "user" },
	{ "Programs", "env" },          { "Logging", "log-level" },
	{ "Help", "version" },          { .title = NULL },
};

static const char *const usage[] = {
	"prongd [OPTION]... SERVICE",
	"prongd [OPTION]... -- PROGRAM [ARG]...",
	NULL,
};

static void print_services(FILE *out)
{
	fputs("\nServices:\n", out);
	for (const struct service *service = services; service->name != NULL; service++)
		fprintf(out, "  %-10s %s (%s)\n", service->name, service->what,
			service->rfc);
}

const struct option_page prongd_page = {
	.program = "prongd",
	.version = "prongd " PRONG_VERSION,
	.usage = usage,
	.summary = "Serve each TCP connection with a process of its own: a built-in "
		   "service, or\nany program with the connection as standard input and "
		   "output.",
	.rows = rows,
	.groups = groups,
	.epilogue = "Signals:\n"
		    "  TERM, INT  stop: take no new clients, let sessions finish\n"
		    "  TERM, INT  a second time, or QUIT: stop now, kill all sessions\n"
		    "  USR1       log the totals\n"
		    "\n"
		    "Exit status:\n"
		    "  0  stopped as asked\n"
		    "  1  could not start, or failed\n"
		    "  2  bad usage, or unusable sockets of the service manager\n",
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
