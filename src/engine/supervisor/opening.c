#include "opening.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/listener.h"
#include "descriptors.h"
#include "report.h"

void opening_listen(struct report *report, const struct listener *listener)
{
	char text[ADDRESS_TEXT_MAX];
	struct log *log = &report->log;

	address_format(&listener->address, text, sizeof(text));
	notify_add_address(&report->notify, text);
	if (!log_begin(log, LOG_INFO, "listen"))
		return;
	log_address(log, "address", &listener->address);
	if (listener->name != NULL && listener->name[0] != '\0')
		log_text(log, "name", listener->name);
	log_end(log);
}

void opening_listen_failed(struct report *report, const char *text,
			   const struct address *address, int error, const char *why)
{
	struct log *log = &report->log;
	const char *name = strerrorname_np(error);

	if (!log_begin(log, LOG_WARNING, "listen-failed"))
		return;
	log_address(log, "address", address);
	log_text(log, "of", text);
	if (name != NULL)
		log_text(log, "error", name);
	else
		log_number(log, "error", error);
	log_text(log, "why", why);
	log_end(log);
}

void opening_cold(struct report *report, const char *program, const char *why)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_WARNING, "cold"))
		return;
	log_text(log, "program", program);
	log_text(log, "why", why);
	log_end(log);
}

void opening_no_new_privs(struct report *report, const char *program, const char *gains)
{
	struct log *log = &report->log;
	char why[160];

	if (!log_begin(log, LOG_WARNING, "no-new-privs"))
		return;
	log_text(log, "program", program);
	snprintf(why, sizeof(why),
		 "its %s has no effect, which may break it: --allow-new-privs lets "
		 "it gain privileges",
		 gains);
	log_text(log, "why", why);
	log_end(log);
}

void opening_not_separated(struct report *report, int error)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_WARNING, "not-separated"))
		return;
	log_text(log, "error", strerrorname_np(error));
	log_text(log, "why",
		 error == EPERM
			 ? "programs can debug each other: without no_new_privs, "
			   "landlock(7) needs CAP_SYS_ADMIN"
			 : "programs can debug each other: landlock(7) cannot "
			   "separate them here");
	log_end(log);
}

void opening_sandbox_unavailable(struct report *report)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_WARNING, "sandbox-unavailable"))
		return;
	log_text(log, "why", "no seccomp filter can be set here");
	log_end(log);
}

void opening_descriptors_short(struct report *report, const struct shortage *shortage,
			       unsigned max_processes)
{
	struct log *log = &report->log;
	char why[160];

	if (!log_begin(log, LOG_ERROR, "descriptors-short"))
		return;
	log_number(log, "limit", (int64_t)shortage->limit);
	log_number(log, "needed", (int64_t)shortage->needed);
	log_number(log, "missing", (int64_t)(shortage->needed - shortage->limit));
	log_number(log, "max_processes", max_processes);
	snprintf(
		why, sizeof(why),
		"the hard limit of open files (RLIMIT_NOFILE) is too low for "
		"max-processes: raise it (ulimit -Hn %llu; in a unit LimitNOFILE=%llu), "
		"or lower max-processes",
		(unsigned long long)shortage->needed,
		(unsigned long long)shortage->needed);
	log_text(log, "why", why);
	log_end(log);
}

void opening_start(struct report *report, const struct start *start)
{
	struct log *log = &report->log;

	if (!log_begin(log, LOG_INFO, "start"))
		return;
	log_number(log, "pid", start->pid);
	log_text(log, "version", PRONG_VERSION);
	log_number(log, "max_processes", start->max_processes);
	log_number(log, "spare", start->spare);
	if (start->reuse == PRONG_REUSE_ALWAYS)
		log_text(log, "reuse", "always");
	else
		log_number(log, "reuse", start->reuse);
	if (start->accept != NULL)
		log_text(log, "accept", start->accept);
	if (start->sandbox != NULL)
		log_text(log, "sandbox", start->sandbox);
	if (start->new_privs != NULL)
		log_text(log, "new_privs", start->new_privs);
	if (start->separated != NULL)
		log_text(log, "separated", start->separated);
	log_end(log);
}
