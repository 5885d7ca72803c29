/*
 * Listening sockets. Owns their options, the replacing of a stale UNIX socket
 * and the removing of our own. Never accepts.
 */
#ifndef BASE_LISTENER_H
#define BASE_LISTENER_H

#include <stdbool.h>
#include <sys/types.h>

#include "address.h"
#include "why.h"

#define LISTENER_BACKLOG 4096 /* the kernel caps it at net.core.somaxconn */

struct listener {
	int fd;
	struct address address; /* with the port the kernel chose */
	dev_t device;           /* with inode: which file is our UNIX socket */
	ino_t inode;            /* 0: none */
	const char *name;       /* given to an adopted one; NULL: none */
	bool adopted;           /* somebody else has it too, and goes on with it */
	bool shut;              /* UNIX, and takes no new clients: only accept(2) */
				/* tells whether its queue is empty */
	bool silent;     /* TCP, and SYNs are not heard: listener_shakes_hands() */
	bool lent;       /* workers of ours wait in accept(2) on it */
	unsigned queued; /* of an adopted one that takes no new clients: those left */
};

/* Of a UNIX socket that is made: zero in a field leaves what the umask, and we, give. */
struct listener_file {
	mode_t mode;
	bool change_owner;
	uid_t uid; /* (uid_t)-1, (gid_t)-1: that one stays, chown(2) */
	gid_t gid;
};

/*
 * Opens a listening socket on address: non-blocking, close-on-exec. Connections
 * inherit TCP_NODELAY and SO_KEEPALIVE from it (tcp(7)). A UNIX socket that is
 * there already is replaced if nobody answers on it. Without IPv6 in the kernel,
 * the wildcard of both families becomes the IPv4 one.
 *
 * file (NULL: zeroed) concerns UNIX sockets with a path, before they take clients.
 *
 * On success *out is the caller's; release it with listener_close().
 * Returns 0; or, with what is wrong in why ("another server has it"): -EADDRINUSE;
 * -EEXIST if the path is something other than a socket; or another negative errno of
 * socket(2), bind(2), listen(2), chown(2) or chmod(2).
 */
int listener_open(struct listener *out, const struct address *address,
		  const struct listener_file *file, struct why *why);

/* Of TCP; zero in a field leaves what the system has. Seconds but for user_timeout_ms. */
struct listener_keepalive {
	bool off; /* SO_KEEPALIVE itself */
	int idle_s, interval_s, count;
	unsigned user_timeout_ms; /* TCP_USER_TIMEOUT */
};

/*
 * How dead peers are found out; connections inherit it, as tcp(7) has it. Of no effect on
 * a UNIX socket. Returns 0 or a negative errno of setsockopt(2).
 */
int listener_keep_alive(const struct listener *listener,
			const struct listener_keepalive *keepalive);

/*
 * Whether this listener is what another one on address would find in its way. Before a
 * UNIX socket is opened, since that would knock at its own door; for TCP afterwards,
 * since the kernel may know better (SO_BINDTODEVICE).
 */
bool listener_has(const struct listener *listener, const struct address *address);

/*
 * Takes a listening stream socket that somebody else has opened, and sets what
 * listener_open() would. name (NULL: none) stays the caller's. On success *out has fd,
 * whose path is never removed, and listener_close() closes it.
 * Returns 0; or, with a sentence in why that names the descriptor, -EINVAL if it is
 * anything else, or another negative errno.
 */
int listener_adopt(struct listener *out, int fd, const char *name, struct why *why);

/*
 * Lets workers wait in accept(2) on it, all of them at once: it blocks from now on, for
 * everyone that has it. Returns 0 or a negative errno of fcntl(2).
 */
int listener_lend(struct listener *listener);

/*
 * Takes no new clients from now on, while those already queued can still be accepted:
 * SYNs are filtered away (socket(7), SO_ATTACH_FILTER), or it is bound to an interface that
 * does not exist, or only an empty queue takes one; a UNIX path is removed and the socket
 * shut. Closing at once would reset the clients in the queue. Of an adopted one only those
 * in the queue now are left, and counted in queued; the next are its other owner's. A lent
 * one blocks no more; it is not shut, and counted like an adopted one if its name is
 * abstract.
 * Returns 0, or a negative errno of fcntl(2) if accept(2) would go on blocking.
 */
int listener_refuse_new(struct listener *listener);

/*
 * After that: whether no handshake begins any more, but those that have begun may still
 * bring clients, which a close would reset. A UNIX client is in the queue as soon as it is
 * connected, an adopted listener stays open, and with a queue of length 0 new ones go on
 * coming.
 */
bool listener_shakes_hands(const struct listener *listener);

/* After that: a client was accepted. Returns whether another one may be left. */
bool listener_took_one(struct listener *listener);

/*
 * How many wait to be accepted (tcp(7), TCP_INFO: tcpi_unacked of a listener); -1 where
 * that cannot be told, as of a UNIX one.
 */
int listener_queue_length(const struct listener *listener);

/*
 * Whether nobody waits to be accepted; false also if poll(2) fails, and always of one that
 * is shut. accept(2) does not look where there is no descriptor to be had.
 */
bool listener_queue_is_empty(const struct listener *listener);

/*
 * Closes it and removes its path, unless another server has replaced that. A lent one is
 * shut for the workers that wait on it, too.
 */
void listener_close(struct listener *listener);

#endif
