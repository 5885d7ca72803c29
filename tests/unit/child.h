/* Children that tests fork: a function, its output caught, its end collected. */
#ifndef UNIT_CHILD_H
#define UNIT_CHILD_H

#include <sys/types.h>

#include <stdio.h>

#define CHILD_TEXT_MAX 16384

/* In a child an assert_...() would go on in the parent's place; this leaves instead. */
#define child_must(condition)                                                      \
	do {                                                                       \
		if (!(condition)) {                                                \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, \
				#condition);                                       \
			return 1;                                                  \
		}                                                                  \
	} while (0)

/* How a child ended, and what it said on standard output and standard error. */
struct child_end {
	int status;
	char text[CHILD_TEXT_MAX];
};

/* Forks; the child does function(arg) and exits with what that returns. */
pid_t child_start(int (*function)(void *arg), void *arg);

/* Collects it; returns its wait status. */
int child_wait(pid_t pid);

/* Both, with what the child says caught. */
void child_run(struct child_end *end, int (*function)(void *arg), void *arg);

#endif
