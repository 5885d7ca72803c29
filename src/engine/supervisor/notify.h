/*
 * Telling a service manager how the server is: READY=1, STATUS=..., STOPPING=1 as
 * datagrams to the socket it has named (sd_notify(3)). Never fails the server, and waits
 * for nobody but, a second at most, to be heard as ready: a manager that missed that
 * would give the server up.
 */
#ifndef ENGINE_NOTIFY_H
#define ENGINE_NOTIFY_H

struct prong;

struct notify {
	int fd;    /* connected to the manager; -1: nobody wants to know */
	int error; /* errno, why it could not be reached; 0: it could */
};

/*
 * Reaches the socket of this name: a path, or "@" and an abstract name (unix(7)); NULL:
 * none. Returns 0, also where nobody is there or that is no such name, which
 * notify->error then tells; or a negative errno of socket(2).
 */
int notify_open(struct notify *notify, const char *name);
void notify_close(struct notify *notify);

/* Ready to serve. */
void notify_ready(const struct prong *server);

/* Below the limit again. */
void notify_serving(const struct prong *server);

/* At the limit. */
void notify_full(const struct prong *server);

/* Told to stop. */
void notify_stopping(const struct prong *server);

#endif
