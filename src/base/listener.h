/*
 * Listening sockets. Sets their options, replaces a stale UNIX socket and removes our
 * own. Never accepts.
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
	struct address address; /* with the port that the kernel chose */
	dev_t device;           /* with inode: identifies our UNIX socket's file */
	ino_t inode;            /* 0: none */
	const char *name;       /* name of an adopted listener; NULL: none */
	bool adopted;           /* another process has it too, and keeps using it */
	bool shut;       /* UNIX socket that takes no new clients: only accept(2) */
			 /* tells whether its queue is empty */
	bool silent;     /* TCP socket that hears no SYN: listener_shakes_hands() */
	bool lent;       /* our workers wait in accept(2) on it */
	unsigned queued; /* adopted, with no new clients: those left in the queue */
};

/*
 * Of a new UNIX socket's file; a field that is 0 leaves the umask's mode, or our own
 * user.
 */
struct listener_file {
	mode_t mode;
	bool change_owner;
	uid_t uid; /* (uid_t)-1 or (gid_t)-1: unchanged, chown(2) */
	gid_t gid;
};

/*
 * Opens a listening socket on address: non-blocking, close-on-exec. Connections inherit
 * TCP_NODELAY and SO_KEEPALIVE from it (tcp(7)). An existing UNIX socket is replaced if
 * no server answers on it. If the kernel has no IPv6, the wildcard of both families
 * becomes the IPv4 one.
 *
 * file (NULL: all zero) applies to UNIX sockets with a path, before they accept
 * clients.
 *
 * On success *out belongs to the caller; release it with listener_close(). Returns 0,
 * or with a sentence in why: -EADDRINUSE; -EEXIST if the path exists and is not a
 * socket; or another negative errno of socket(2), bind(2), listen(2), chown(2) or
 * chmod(2).
 */
int listener_open(struct listener *out, const struct address *address,
		  const struct listener_file *file, struct why *why);

/*
 * Of TCP; a field that is 0 leaves the system's value. In seconds, except
 * user_timeout_ms.
 */
struct listener_keepalive {
	bool off; /* SO_KEEPALIVE itself */
	int idle_s, interval_s, count;
	unsigned user_timeout_ms; /* TCP_USER_TIMEOUT */
};

/*
 * Sets how dead peers are detected; connections inherit it (tcp(7)). No effect on a
 * UNIX socket. Returns 0 or a negative errno of setsockopt(2).
 */
int listener_keep_alive(const struct listener *listener,
			const struct listener_keepalive *keepalive);

/*
 * Whether this listener would keep another one from listening on address. For a UNIX
 * socket this is asked before the other is opened, which would connect to our own
 * socket; for TCP afterwards, since the kernel may allow both (SO_BINDTODEVICE).
 */
bool listener_has(const struct listener *listener, const struct address *address);

/*
 * Takes over a listening stream socket that another process has opened, and sets on it
 * what listener_open() would. name (NULL: none) stays the caller's. On success *out has
 * fd; listener_close() closes it and never removes its path. Returns 0; or, with a
 * sentence in why that names the descriptor, -EINVAL if it is not such a socket, or
 * another negative errno.
 */
int listener_adopt(struct listener *out, int fd, const char *name, struct why *why);

/*
 * Lets workers wait in accept(2) on it, several at once: from now on it blocks, in
 * every process that has it. Returns 0 or a negative errno of fcntl(2).
 */
int listener_lend(struct listener *listener);

/*
 * Takes no new clients from now on, while those in the queue can still be accepted;
 * closing it at once would reset them. For TCP, SYNs are filtered out (socket(7),
 * SO_ATTACH_FILTER), or the socket is bound to an interface that does not exist, or its
 * queue takes a client only when it is empty. For UNIX, the path is removed and the
 * socket shut. Of an adopted listener only the clients now in the queue are taken,
 * counted in queued; later ones belong to its other owner. A lent listener no longer
 * blocks; if its name is abstract, it is counted like an adopted one, not shut. Returns
 * 0, or a negative errno of fcntl(2) if accept(2) would go on blocking.
 */
int listener_refuse_new(struct listener *listener);

/*
 * After listener_refuse_new(): whether no new handshake can begin, but those in
 * progress may still bring clients, which a close would reset. False for UNIX, where a
 * client is in the queue as soon as it is connected; for an adopted listener, which
 * stays open; and with a queue of length 0, where new clients can still come.
 */
bool listener_shakes_hands(const struct listener *listener);

/*
 * After listener_refuse_new(), when a client was accepted. Returns whether more may be
 * left.
 */
bool listener_took_one(struct listener *listener);

/*
 * How many clients wait to be accepted (tcp(7), TCP_INFO: tcpi_unacked of a listener);
 * -1 if that cannot be found out, for example on a UNIX socket.
 */
int listener_queue_length(const struct listener *listener);

/*
 * Whether no client waits to be accepted; false also if poll(2) fails, and always on
 * one that is shut. accept(2) without a free descriptor does not look at the queue.
 */
bool listener_queue_is_empty(const struct listener *listener);

/*
 * Closes it and removes its path, unless another server has replaced that. A lent
 * listener is also shut for the workers that wait on it.
 */
void listener_close(struct listener *listener);

#endif
