/* What the log tells at the start: what is served, and what is not as it was asked for. */
#ifndef ENGINE_OPENING_H
#define ENGINE_OPENING_H

#include <sys/types.h>

struct address;
struct listener;
struct report;
struct shortage;

/* What the line "start" tells; NULL: that field is left out. */
struct start {
	pid_t pid;
	unsigned max_processes, spare, reuse;
	const char *accept, *sandbox, *new_privs, *separated;
};

void opening_listen(struct report *report, const struct listener *listener);
void opening_start(struct report *report, const struct start *start);

/* One of the addresses of text, a name, is not listened on, but another one is. */
void opening_listen_failed(struct report *report, const char *text,
			   const struct address *address, int error, const char *why);

/* At the start: what was asked for is not to be had, and why. */
void opening_cold(struct report *report, const char *program, const char *why);
void opening_no_new_privs(struct report *report, const char *program,
			  const char *gains);
void opening_not_separated(struct report *report, int error);
void opening_sandbox_unavailable(struct report *report);
void opening_descriptors_short(struct report *report, const struct shortage *shortage,
			       unsigned max_processes);

#endif
