/*
 * Telling a service manager how the server is: READY=1, STATUS=..., STOPPING=1 as
 * datagrams to the socket it has named (sd_notify(3)). Never fails the server, and waits
 * only, a second at most, to be heard as ready: a manager that missed that would give the
 * server up.
 */
#ifndef ENGINE_NOTIFY_H
#define ENGINE_NOTIFY_H

#include <stdbool.h>
#include <stdint.h>

#define NOTIFY_STATUS_MAX 256

struct notify {
	int fd;    /* connected to the manager; -1: there is none */
	int error; /* errno, why it could not be reached; 0: it could */
	char serving[NOTIFY_STATUS_MAX]; /* "Serving on ..." */
};

/*
 * Reaches the socket of this name: a path, or "@" and an abstract name (unix(7)); NULL:
 * none. Returns 0, also where the manager is not there or that is no such name, which
 * notify->error then tells; or a negative errno of socket(2).
 */
int notify_open(struct notify *notify, const char *name);
void notify_close(struct notify *notify);

/* One address more that is served. Too many for the status end in "...". */
void notify_add_address(struct notify *notify, const char *address);

/* Ready to serve. */
void notify_ready(const struct notify *notify);

/* Below the limit again. */
void notify_serving(const struct notify *notify);

/* At the limit of max processes; clients wait, or are refused. */
void notify_full(const struct notify *notify, unsigned max, bool wait);

/* Told to stop; sessions are left to finish within grace_us. */
void notify_stopping(const struct notify *notify, int64_t sessions, int64_t grace_us);

#endif
