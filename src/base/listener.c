#include "listener.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bind_failure.h"
#include "gate.h"

static int set_flag(int fd, int level, int option, int value)
{
	return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : 0;
}

static bool has_file(const struct address *address)
{
	return address_family(address) == AF_UNIX && !address_is_abstract(address);
}

static int set_options(int fd, const struct address *address)
{
	int err;

	if (address_family(address) == AF_UNIX)
		return 0;
	err = set_flag(fd, SOL_SOCKET, SO_REUSEADDR, 1);
	if (err == 0)
		err = set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	if (err == 0)
		err = set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
	if (err == 0 && address_family(address) == AF_INET6)
		err = set_flag(fd, IPPROTO_IPV6, IPV6_V6ONLY, !address->both_families);
	return err;
}

/* Whether a server answers on the UNIX socket; a full queue counts as an answer. */
static bool somebody_answers(const struct address *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	bool answered = true;

	if (fd < 0)
		return true;
	if (connect(fd, &address->any.sa, address->length) < 0)
		answered = errno != ECONNREFUSED;
	close(fd);
	return answered;
}

/* Removes the socket at path only if it is still the one that was examined. */
static int unlink_if_same(const char *path, dev_t device, ino_t inode)
{
	struct stat now;

	if (lstat(path, &now) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (now.st_dev != device || now.st_ino != inode)
		return -EADDRINUSE;
	return unlink(path) < 0 ? -errno : 0;
}

static int remove_stale(const struct address *address)
{
	const char *path = address->any.un.sun_path;
	struct stat before;

	if (lstat(path, &before) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(before.st_mode))
		return -EEXIST;
	if (somebody_answers(address))
		return -EADDRINUSE;
	return unlink_if_same(path, before.st_dev, before.st_ino);
}

static int bind_address(int fd, const struct address *address)
{
	int err;

	if (bind(fd, &address->any.sa, address->length) == 0)
		return 0;
	if (errno != EADDRINUSE || !has_file(address))
		return -errno;
	err = remove_stale(address);
	if (err < 0)
		return err;
	return bind(fd, &address->any.sa, address->length) < 0 ? -errno : 0;
}

/* Finds out which port the kernel chose, or which file the UNIX socket is. */
static int learn_identity(struct listener *listener)
{
	struct address *address = &listener->address;
	struct stat file;

	if (address_family(address) != AF_UNIX) {
		address->length = sizeof(address->any);
		return getsockname(listener->fd, &address->any.sa, &address->length) < 0
			       ? -errno
			       : 0;
	}
	if (!has_file(address))
		return 0;
	if (lstat(address->any.un.sun_path, &file) < 0)
		return -errno;
	listener->device = file.st_dev;
	listener->inode = file.st_ino;
	return 0;
}

/*
 * Called before listen(2), so that no client gets in that may not. Others who can write
 * to the directory could put a link in the path's place, so links are not followed.
 */
static int set_file(const char *path, const struct listener_file *file, struct why *why)
{
	if (file->change_owner &&
	    fchownat(AT_FDCWD, path, file->uid, file->gid, AT_SYMLINK_NOFOLLOW) < 0)
		return why_fail(
			why, -errno, "cannot change its owner: %s%s", strerror(errno),
			errno == EPERM ? " (this needs root or CAP_CHOWN)" : "");
	if (file->mode != 0 &&
	    fchmodat(AT_FDCWD, path, file->mode, AT_SYMLINK_NOFOLLOW) < 0)
		return why_fail(why, -errno, "cannot change its mode: %s",
				strerror(errno));
	return 0;
}

static int open_here(struct listener *out, const struct address *address,
		     const struct listener_file *file, struct why *why)
{
	struct listener listener = { .fd = -1, .address = *address };
	bool bound;
	int err;

	listener.fd = socket(address_family(address),
			     SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener.fd < 0)
		return bind_failure_explain(address, -errno, why);
	err = set_options(listener.fd, address);
	if (err < 0) {
		close(listener.fd);
		return why_kernels(
			why_fail(why, err, "setsockopt(2): %s", strerror(-err)));
	}
	err = bind_address(listener.fd, address);
	bound = err == 0;
	if (err < 0)
		err = bind_failure_explain(address, err, why);
	else if (file != NULL && has_file(address))
		err = set_file(address->any.un.sun_path, file, why);
	if (err == 0) {
		err = listen(listener.fd, LISTENER_BACKLOG) < 0 ? -errno : 0;
		if (err == 0)
			err = learn_identity(&listener);
		if (err < 0)
			err = bind_failure_explain(address, err, why);
	}
	if (err < 0) {
		close(listener.fd);
		if (bound && has_file(address))
			unlink(address->any.un.sun_path);
		return err;
	}
	*out = listener;
	return 0;
}

/*
 * Two servers that start on the same path must not both consider it stale, nor see each
 * other's socket between bind(2) and listen(2). So they take turns with a lock on its
 * directory, flock(2). Returns -1 if the lock is not available within a second; the
 * server then starts without it.
 */
static int lock_directory(const struct address *address)
{
	char directory[sizeof(address->any.un.sun_path)];
	struct timespec pause = { .tv_nsec = 10000000 };
	char *slash;
	int fd;

	memcpy(directory, address->any.un.sun_path, sizeof(directory));
	slash = strrchr(directory, '/');
	if (slash != NULL)
		slash[slash == directory] = '\0';
	fd = open(slash != NULL ? directory : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (int i = 0; fd >= 0 && i < 100; i++) {
		if (flock(fd, LOCK_EX | LOCK_NB) == 0)
			return fd;
		nanosleep(&pause, NULL);
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static int open_unix(struct listener *out, const struct address *address,
		     const struct listener_file *file, struct why *why)
{
	int lock = lock_directory(address);
	int err = open_here(out, address, file, why);

	if (lock >= 0)
		close(lock);
	return err;
}

int listener_open(struct listener *out, const struct address *address,
		  const struct listener_file *file, struct why *why)
{
	int err;

	if (has_file(address))
		return open_unix(out, address, file, why);
	err = open_here(out, address, NULL, why);
	/*
	 * EAFNOSUPPORT: the kernel has no IPv6; EADDRNOTAVAIL: it is disabled by
	 * sysctl.
	 */
	if (address->both_families && (err == -EAFNOSUPPORT || err == -EADDRNOTAVAIL)) {
		struct address ipv4 = { .length = sizeof(ipv4.any.in) };

		ipv4.any.in.sin_family = AF_INET;
		ipv4.any.in.sin_port = address->any.in6.sin6_port;
		err = open_here(out, &ipv4, NULL, why);
	}
	return err;
}

bool listener_has(const struct listener *listener, const struct address *address)
{
	struct stat file;

	if (address_overlaps(&listener->address, address))
		return true;
	return listener->inode != 0 && has_file(address) &&
	       lstat(address->any.un.sun_path, &file) == 0 &&
	       file.st_dev == listener->device && file.st_ino == listener->inode;
}

static int integer_of(int fd, int option)
{
	int value = -1;
	socklen_t size = sizeof(value);

	return getsockopt(fd, SOL_SOCKET, option, &value, &size) < 0 ? -errno : value;
}

/* Why the descriptor cannot be used as a listener; NULL: it can. */
static const char *misfit(int fd)
{
	int type = integer_of(fd, SO_TYPE);
	int family = integer_of(fd, SO_DOMAIN);

	if (type < 0)
		return "it is not a socket";
	if (type != SOCK_STREAM)
		return "it is not a stream socket";
	if (family != AF_INET && family != AF_INET6 && family != AF_UNIX)
		return "it is neither a TCP nor a UNIX socket";
	if (integer_of(fd, SO_ACCEPTCONN) != 1)
		return "it does not listen (a systemd socket unit needs Accept=no)";
	return NULL;
}

/* No SO_REUSEADDR and similar options: the socket is bound already. */
static int set_adopted(int fd, int family)
{
	int flags = fcntl(fd, F_GETFL);
	int err = 0;

	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) < 0)
		return -errno;
	if (family == AF_UNIX)
		return 0;
	err = set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
	return err < 0 ? err : set_flag(fd, IPPROTO_TCP, TCP_NODELAY, 1);
}

static int set_unless_zero(int fd, int option, int value)
{
	return value == 0 ? 0 : set_flag(fd, IPPROTO_TCP, option, value);
}

int listener_keep_alive(const struct listener *listener,
			const struct listener_keepalive *keepalive)
{
	int fd = listener->fd;
	int err = 0;

	if (address_family(&listener->address) == AF_UNIX)
		return 0;
	if (keepalive->off)
		err = set_flag(fd, SOL_SOCKET, SO_KEEPALIVE, 0);
	if (err == 0)
		err = set_unless_zero(fd, TCP_KEEPIDLE, keepalive->idle_s);
	if (err == 0)
		err = set_unless_zero(fd, TCP_KEEPINTVL, keepalive->interval_s);
	if (err == 0)
		err = set_unless_zero(fd, TCP_KEEPCNT, keepalive->count);
	if (err == 0)
		err = set_unless_zero(fd, TCP_USER_TIMEOUT,
				      (int)keepalive->user_timeout_ms);
	return err;
}

static bool takes_both_families(int fd, const struct address *address)
{
	socklen_t size = sizeof(int);
	int only = 1;

	return address_family(address) == AF_INET6 &&
	       IN6_IS_ADDR_UNSPECIFIED(&address->any.in6.sin6_addr) &&
	       getsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, &size) == 0 && !only;
}

int listener_adopt(struct listener *out, int fd, const char *name, struct why *why)
{
	struct listener listener = { .fd = fd, .name = name, .adopted = true };
	struct address *address = &listener.address;
	const char *wrong = misfit(fd);
	int err;

	if (wrong != NULL)
		return why_fail(why, -EINVAL, "descriptor %d: %s", fd, wrong);
	address->length = sizeof(address->any);
	if (getsockname(fd, &address->any.sa, &address->length) < 0)
		err = -errno;
	else
		err = set_adopted(fd, address_family(address));
	if (err < 0)
		return why_fail(why, why_kernels(err), "descriptor %d: %s", fd,
				strerror(-err));
	address_normalize(address);
	address->both_families = takes_both_families(fd, address);
	*out = listener;
	return 0;
}

/* If this fails, it is tried again when the listener is closed. */
static void remove_path(struct listener *listener)
{
	int err;

	if (address_family(&listener->address) != AF_UNIX || listener->inode == 0)
		return;
	err = unlink_if_same(listener->address.any.un.sun_path, listener->device,
			     listener->inode);
	if (err == 0 || err == -EADDRINUSE)
		listener->inode = 0;
}

int listener_queue_length(const struct listener *listener)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	if (address_family(&listener->address) == AF_UNIX ||
	    getsockopt(listener->fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return -1;
	return (int)info.tcpi_unacked;
}

/*
 * Clients can keep coming while it is open: other processes listen too, or its name is
 * not a path.
 */
static bool cannot_refuse(const struct listener *listener)
{
	return listener->adopted ||
	       (listener->lent && address_is_abstract(&listener->address));
}

bool listener_took_one(struct listener *listener)
{
	if (!cannot_refuse(listener))
		return true;
	if (listener->queued > 0)
		listener->queued--;
	return listener->queued > 0;
}

static int set_blocking(struct listener *listener, bool blocking)
{
	int flags = fcntl(listener->fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = blocking ? flags & ~O_NONBLOCK : flags | O_NONBLOCK;
	return fcntl(listener->fd, F_SETFL, flags) < 0 ? -errno : 0;
}

int listener_lend(struct listener *listener)
{
	int err = set_blocking(listener, true);

	listener->lent = err == 0;
	return err;
}

/*
 * After shutdown for receiving, connect(2) to a UNIX listener fails, while accept(2)
 * still returns the clients already in the queue (net/unix/af_unix.c of the kernel;
 * unix(7) does not mention it). Workers that wait in accept(2) on it would see that as
 * a failure.
 */
static void refuse_new_unix(struct listener *listener)
{
	remove_path(listener);
	if (!listener->lent)
		listener->shut = GATE(shutdown, listener->fd, SHUT_RD) == 0;
}

/*
 * Some kernels require a privilege for a filter. If it is refused, the listener is
 * bound to an interface that does not exist, so no SYN reaches it. This does not affect
 * handshakes in progress and existing connections, which are bound to no interface, as
 * before. A listener on a link-local address is already bound to one, and cannot change
 * it without CAP_NET_RAW. Its queue is then set to length 0: it takes a client only
 * when it is empty, and a client that comes just before the close may be reset.
 */
static void refuse_new_tcp(struct listener *listener)
{
	/* The filter sees the TCP header; byte 13 holds the flags, 0x02 is SYN. */
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 13),
		BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 0x02, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, 0),
		BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
	};
	struct sock_fprog filter = { sizeof(code) / sizeof(code[0]), code };

	listener->silent =
		setsockopt(listener->fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter,
			   sizeof(filter)) == 0 ||
		set_flag(listener->fd, SOL_SOCKET, SO_BINDTOIFINDEX, INT_MAX) == 0;
	if (!listener->silent)
		listen(listener->fd, 0);
}

bool listener_shakes_hands(const struct listener *listener)
{
	return listener->silent;
}

int listener_refuse_new(struct listener *listener)
{
	int queued = listener_queue_length(listener);

	if (cannot_refuse(listener))
		listener->queued = queued < 0 ? LISTENER_BACKLOG : (unsigned)queued;
	else if (address_family(&listener->address) == AF_UNIX)
		refuse_new_unix(listener);
	else
		refuse_new_tcp(listener);
	return listener->lent ? set_blocking(listener, false) : 0;
}

bool listener_queue_is_empty(const struct listener *listener)
{
	struct pollfd waiting = { .fd = listener->fd, .events = POLLIN };

	return poll(&waiting, 1, 0) == 0;
}

void listener_close(struct listener *listener)
{
	if (listener->fd < 0)
		return;
	remove_path(listener);
	if (listener->lent)
		GATE(shutdown, listener->fd, SHUT_RDWR);
	close(listener->fd);
	listener->fd = -1;
}
