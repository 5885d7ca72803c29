/*
 * Children that tests fork: each runs a function; its output is caught and its end
 * reaped.
 */
#ifndef UNIT_CHILD_H
#define UNIT_CHILD_H

#include <sys/types.h>

#include <stdio.h>

#define CHILD_TEXT_MAX 16384

/*
 * In a child a failed assert_...() would go on in the parent's place; this exits
 * instead.
 */
#define child_must(condition)                                                      \
	do {                                                                       \
		if (!(condition)) {                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
				#condition);                                       \
			return 1;                                                  \
		}                                                                  \
	} while (0)

/* How a child ended, and what it wrote on standard output and standard error. */
struct child_end {
	int status;
	char text[CHILD_TEXT_MAX];
};

/* Forks a child that runs function(arg) and exits with its result. */
pid_t child_start(int (*function)(void *arg), void *arg);

/* Reaps it; returns its wait status. */
int child_wait(pid_t pid);

/* Does both, and catches what the child writes. */
void child_run(struct child_end *end, int (*function)(void *arg), void *arg);

#endif
