#include "options.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/number.h"

#define FIELD(name) offsetof(struct prongd_settings, name)

static int parse_at_limit(const struct option_row *row, const char *value, void *field,
			  char *why)
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
	snprintf(why, OPTION_WHY_MAX, "\"%.60s\" is none of wait, refuse, refuse:TEXT",
		 value);
	return -EINVAL;
}

/* A word of a list, by its place in it; -EINVAL with the list in why. */
static int parse_word(const char *const *words, const char *value, char *why)
{
	size_t used;

	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(value, words[i]) == 0)
			return i;
	used = (size_t)snprintf(why, OPTION_WHY_MAX, "\"%.60s\" is none of", value);
	for (int i = 0; words[i] != NULL; i++)
		used += (size_t)snprintf(why + used, OPTION_WHY_MAX - used, "%s %s",
					 i > 0 ? "," : "", words[i]);
	return -EINVAL;
}

static int parse_log_format(const struct option_row *row, const char *value,
			    void *field, char *why)
{
	static const char *const words[] = {
		[PRONG_LOGFMT] = "logfmt",
		[PRONG_LOG_JSON] = "json",
		NULL,
	};
	int word = parse_word(words, value, why);

	(void)row;
	if (word >= 0)
		*(enum prong_log_format *)field = (enum prong_log_format)word;
	return word < 0 ? word : 0;
}

static int parse_stderr(const struct option_row *row, const char *value, void *field,
			char *why)
{
	static const char *const words[] = {
		[PRONG_STDERR_KEEP] = "keep",
		[PRONG_STDERR_CONNECTION] = "connection",
		[PRONG_STDERR_NULL] = "null",
		NULL,
	};
	int word = parse_word(words, value, why);

	(void)row;
	if (word >= 0)
		*(enum prong_stderr *)field = (enum prong_stderr)word;
	return word < 0 ? word : 0;
}

static int parse_on_hangup(const struct option_row *row, const char *value, void *field,
			   char *why)
{
	static const char *const words[] = { "end", "ignore", NULL };
	int word = parse_word(words, value, why);

	(void)row;
	if (word >= 0)
		*(bool *)field = word == 1;
	return word < 0 ? word : 0;
}

static int parse_umask(const struct option_row *row, const char *value, void *field,
		       char *why)
{
	struct prong_program *program = field;
	mode_t mask = 0;
	const char *c;

	(void)row;
	for (c = value; *c >= '0' && *c <= '7' && c - value < 4; c++)
		mask = mask * 8 + (mode_t)(*c - '0');
	if (c == value || *c != '\0' || mask > 0777) {
		snprintf(why, OPTION_WHY_MAX, "\"%.60s\" is not a mask from 000 to 777",
			 value);
		return -EINVAL;
	}
	program->set_umask = true;
	program->umask = mask;
	return 0;
}

static int parse_env(const struct option_row *row, const char *value, void *field,
		     char *why)
{
	if (value[0] == '=' || value[0] == '\0') {
		snprintf(why, OPTION_WHY_MAX, "\"%.60s\" is not NAME or NAME=VALUE",
			 value);
		return -EINVAL;
	}
	return option_strings(row, value, field, why);
}

/* 0 would close our own stdin; 2 is the log's. */
static int parse_ready_fd(const struct option_row *row, const char *value, void *field,
			  char *why)
{
	uint64_t fd;
	int mode;

	if (number_parse(value, row->min, row->max, &fd) < 0 || fd == 2) {
		snprintf(why, OPTION_WHY_MAX,
			 "\"%.60s\" is not a descriptor: 1, or one from 3 up", value);
		return -EINVAL;
	}
	mode = fcntl((int)fd, F_GETFL);
	if (mode < 0 || (mode & O_ACCMODE) == O_RDONLY) {
		snprintf(why, OPTION_WHY_MAX, "descriptor %d is not open for writing",
			 (int)fd);
		return -EINVAL;
	}
	*(int *)field = (int)fd;
	return 0;
}

static const struct option_row rows[] = {
	{ 'l', "listen", "ADDRESS", "127.0.0.1:7007",
	  "listen on host:port, :port (every address, both families), [v6]:port or "
	  "unix:/path; port 0 is the kernel's choice; repeatable",
	  option_strings, FIELD(listen), 0, 0 },
	{ 'n', "max-processes", "N", "1000",
	  "serve so many connections at once, at most", option_number,
	  FIELD(max_processes), 1, 1000000 },
	{ 's', "spare", "N", "8", "keep so many processes ready, forked in advance",
	  option_number, FIELD(spare), 0, 1000000 },
	{ 'r', "reuse", "N", "1",
	  "let a process serve so many connections, one after the other, before it is "
	  "replaced; 0 = no limit",
	  option_number, FIELD(reuse), 0, 1000000000 },
	{ 0, "at-limit", "POLICY", "wait",
	  "what a client meets when all processes are at work: wait (in the kernel's "
	  "queue), refuse, or refuse:TEXT",
	  parse_at_limit, FIELD(at_limit), 0, 0 },
	{ 0, "idle-timeout", "DURATION", "0",
	  "end a connection on which no byte has moved for so long: 500ms, 30s, 5m; "
	  "0 = never",
	  option_duration, FIELD(idle_timeout), 0, 0 },
	{ 0, "session-timeout", "DURATION", "0",
	  "end a connection after so long, whatever it does; 0 = never",
	  option_duration, FIELD(session_timeout), 0, 0 },
	{ 0, "grace", "DURATION", "30s",
	  "let sessions finish for so long from the first stop signal to SIGKILL",
	  option_duration, FIELD(grace), 0, 0 },
	{ 0, "env", "NAME[=VALUE]", NULL,
	  "program: give it this variable beside PATH and those of the connection; "
	  "without a value, that of prongd's own environment; repeatable",
	  parse_env, FIELD(env), 0, 0 },
	{ 0, "chdir", "DIR", NULL, "program: start it in this directory", option_string,
	  FIELD(program.directory), 0, 0 },
	{ 0, "umask", "MASK", NULL, "program: start it with this file mode mask, octal",
	  parse_umask, FIELD(program), 0, 0 },
	{ 0, "stderr", "WHERE", "keep",
	  "program: its standard error: keep (prongd's own), connection or null",
	  parse_stderr, FIELD(program.error_output), 0, 0 },
	{ 0, "on-hangup", "WHAT", "end",
	  "program: when its client is gone for good: end it (TERM, then KILL), or ignore",
	  parse_on_hangup, FIELD(program.ignore_hangup), 0, 0 },
	{ 0, "resolve", NULL, NULL,
	  "program: look up the names of both ends for its environment", option_flag,
	  FIELD(program.resolve), 0, 0 },
	{ 0, "kill-descendants", NULL, NULL,
	  "program: when it has ended, end whatever it has left behind", option_flag,
	  FIELD(program.kill_descendants), 0, 0 },
	{ 0, "warm", NULL, NULL,
	  "program: keep --spare of them started and linked, waiting for a connection "
	  "before their main begins; only for programs dynamically linked with glibc",
	  option_flag, FIELD(warm), 0, 0 },
	{ 0, "ready-fd", "FD", NULL,
	  "when ready, write a line \"host:port\" for each listener there and close it",
	  parse_ready_fd, FIELD(ready_fd), 1, 1000000 },
	{ 0, "log-format", "FORMAT", "logfmt", "logfmt or json, on stderr",
	  parse_log_format, FIELD(log_format), 0, 0 },
	{ 'v', "verbose", NULL, NULL, "log every connection", option_count,
	  FIELD(verbose), 0, 0 },
	{ 'q', "quiet", NULL, NULL, "log errors only", option_flag, FIELD(quiet), 0,
	  0 },
	{ 'V', "version", NULL, NULL, "print the version and exit", option_flag,
	  FIELD(version), 0, 0 },
	{ 'h', "help", NULL, NULL, "print this and exit", option_flag, FIELD(help), 0,
	  0 },
	{ .name = NULL },
};

static const char *const usage[] = {
	"prongd [OPTION]... SERVICE",
	"prongd [OPTION]... -- PROGRAM [ARG]...",
	NULL,
};

const struct option_page prongd_page = {
	.program = "prongd",
	.usage = usage,
	.summary = "Serve TCP connections, each with a process of its own: a built-in "
		   "service, or\nany program with the connection as standard input and "
		   "output.",
	.rows = rows,
	.epilogue =
		"signals: TERM, INT: stop accepting, let sessions finish; a second one, or\n"
		"         QUIT: stop now; USR1: log the totals\n"
		"exit:    0 stopped as asked, 1 could not start or failed, 2 bad usage\n",
};

const struct prongd_settings prongd_defaults = {
	.max_processes = 1000,
	.spare = 8,
	.reuse = 1,
	.grace = 30000,
	.ready_fd = -1,
};

void prongd_fill_options(struct prong_options *options,
			 const struct prongd_settings *settings)
{
	*options = (struct prong_options){
		.size = sizeof(*options),
		.listen = settings->listen.count > 0 ? settings->listen.at : NULL,
		.max_processes = settings->max_processes,
		.spare = settings->spare,
		.reuse = settings->reuse == 0 ? PRONG_REUSE_ALWAYS : settings->reuse,
		.at_limit = settings->at_limit.policy,
		.refusal_text = settings->at_limit.text,
		.idle_timeout = settings->idle_timeout,
		.session_timeout = settings->session_timeout,
		.grace = settings->grace == 0 ? -1 : settings->grace,
		.ready_fd = settings->ready_fd > 0 ? settings->ready_fd : 0,
		.log_fd = 2,
		.log_format = settings->log_format,
		.log_level = settings->quiet         ? PRONG_LOG_QUIET
			     : settings->verbose > 0 ? PRONG_LOG_VERBOSE
						     : PRONG_LOG_NORMAL,
	};
}

void prongd_fill_program(struct prong_program *program,
			 const struct prongd_settings *settings)
{
	*program = settings->program;
	program->env = settings->env.at;
}
