/* What is logged at the start: what is served, and what differs from the options. */
#ifndef ENGINE_OPENING_H
#define ENGINE_OPENING_H

#include <sys/types.h>

struct address;
struct listener;
struct report;
struct shortage;

/* The fields of the line "start"; NULL: the field is left out. */
struct start {
	pid_t pid;
	unsigned max_processes, spare, reuse;
	const char *accept, *sandbox, *new_privs, *separated;
};

void opening_listen(struct report *report, const struct listener *listener);
void opening_start(struct report *report, const struct start *start);

/* The server does not listen on one address of the name text, but does on another. */
void opening_listen_failed(struct report *report, const char *text,
			   const struct address *address, int error, const char *why);

/* At the start: something that was asked for is not available, and why. */
void opening_cold(struct report *report, const char *program, const char *why);
void opening_no_new_privs(struct report *report, const char *program,
			  const char *gains);
void opening_not_separated(struct report *report, int error);
void opening_sandbox_unavailable(struct report *report);
void opening_descriptors_short(struct report *report, const struct shortage *shortage,
			       unsigned max_processes);

#endif
