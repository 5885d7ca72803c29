/*
 * Tells a service manager the state of the server: READY=1, STATUS=..., STOPPING=1 as
 * datagrams to the socket that it has named (sd_notify(3)). A failure never stops the
 * server. Only the message that it is ready may wait, at most a second, since a manager
 * that missed it would give the server up.
 */
#ifndef ENGINE_NOTIFY_H
#define ENGINE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#define NOTIFY_STATUS_MAX 256

struct notify {
	int fd;    /* connected to the manager; -1: not connected */
	int error; /* why the manager could not be reached; 0: it was */
	char serving[NOTIFY_STATUS_MAX]; /* "Serving on ..." */
};

/*
 * Connects to the socket of this name: a path, or "@" and an abstract name (unix(7));
 * NULL: none. Returns 0, even if the manager is not there or the name is malformed,
 * which notify->error then says; or a negative errno of socket(2).
 */
int notify_open(struct notify *notify, const char *name);
void notify_close(struct notify *notify);

/* Adds an address that is served. If there are too many, the status ends in "...". */
void notify_add_address(struct notify *notify, const char *address);

/* The server is ready to serve. */
void notify_ready(const struct notify *notify);

/* The server is below its limit again. */
void notify_serving(const struct notify *notify);

/* All max processes are busy; clients wait, or are refused. */
void notify_full(const struct notify *notify, unsigned max, bool wait);

/* The server was told to stop; open sessions may finish within grace_us. */
void notify_stopping(const struct notify *notify, int64_t sessions, int64_t grace_us);

#endif
