/* A server in a child of the test: its supervisor, its workers, its clients. */
#ifndef UNIT_RUNNING_H
#define UNIT_RUNNING_H

#include <sys/types.h>

#include "prong.h"

#define TEXT_MAX 1024 /* of a line, and of a worker's answer */

/* A server to run, and what the test knows about it meanwhile. */
struct running {
	struct prong_options options; /* listen NULL: 127.0.0.1, any port */
	prong_handler *handler;       /* gets "arg" */
	int (*before)(void);          /* in the supervisor's process; NULL: nothing */
	int (*after)(void);
	int (*run)(void *running); /* what the child does; NULL: one server */
	int ready[2], log[2];      /* pipes; the test reads */
	char address[TEXT_MAX];    /* the first line from ready_fd */
	pid_t pid;
};

/* Starts it and waits until it is ready. */
void start(struct running *running);

/* Ends it with SIGTERM, or waits for its end; its status must be 0. */
void stop(struct running *running);
void stopped(struct running *running);

/* The child's default task; a test's own run may call it repeatedly. */
int run_server(void *running);

/* Connects to it; the caller closes the connection. */
int join(const struct running *running);

/* The client is served, by an echo. */
void echoes(int fd);
void serves(const struct running *running);
int echo(struct prong_conn *conn, void *arg);

/* Reads a line and not one byte more; without the newline. */
void read_line(int fd, char line[TEXT_MAX]);

/* Reads the whole log, which ends when the supervisor does. */
void read_log(const struct running *running, char *text, size_t size);

/* Sends text to the client, as printf(3) does. */
void say(struct prong_conn *conn, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Sets signals as a host program might; then checks that they still are so: 0. */
int set_signals(void);
int signals_are_as_set(void);

#endif
