/*
 * prong.h - TCP servers in which every connection has a process of its own.
 *
 * The calling process becomes the supervisor: it listens, accepts, hands each
 * connection to a worker process, and reaps the workers when they end. A crash or a
 * leak stays inside one connection; in a sandbox, so does a break-in.
 *
 *	static int echo(struct prong_conn *conn, void *arg) { ... }
 *
 *	struct prong_options options = { .size = sizeof(options) };
 *	struct prong *server;
 *	int err = prong_open(&server, &options, echo, NULL);
 *	if (err == 0) {
 *		err = prong_run(server);
 *		prong_close(server);
 *	}
 *
 * Conventions. Calls return 0 (or a count) or a negative errno. After a failure the
 * objects behind pointer arguments are unchanged. The library prints nothing unless
 * asked to log, never calls exit(3) in the caller's process, and keeps no global state
 * except what a sandbox changes in the process itself. Times are in milliseconds, at
 * most ten years; sizes are in bytes.
 */
#ifndef PRONG_H
#define PRONG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

#define PRONG_VERSION "0.1.0"

#if defined(__GNUC__)
#define PRONG_PUBLIC __attribute__((visibility("default")))
#else
#define PRONG_PUBLIC
#endif

struct prong;      /* a server: its listeners and its table of processes */
struct prong_conn; /* one connection, seen from the worker that serves it */

/*
 * Serves one connection. It runs in a worker process, never in the supervisor.
 *
 * conn is valid until the handler returns; do not close its descriptor. Afterwards the
 * library ends the connection so that everything sent still arrives: it half-closes,
 * reads on for a limited time and size (options.linger), and closes. After a timeout it
 * closes at once. arg is the pointer given to prong_open(), in this process's memory.
 *
 * Return 0 if the connection was served, or the negative errno of a prong_recv() or
 * prong_send() that failed; any other value is counted as "failed". A worker that calls
 * exit(0) counts as having served; with another status it counts as crashed.
 *
 * The worker has default signal dispositions, an empty signal mask, a process group of
 * its own, no terminal to read, and of the descriptors from options.keep_fds up only
 * the connection. It dies with the supervisor. It ends with _exit(2), so flush your own
 * stdio streams. With options.reuse other than 1 one process serves several connections
 * in turn; until the last it also holds the channel for the next.
 */
typedef int prong_handler(struct prong_conn *conn, void *arg);

/* Where a program's standard error goes. */
enum prong_stderr {
	PRONG_STDERR_LOG,        /* to the log, a "said" line for each; else nowhere */
	PRONG_STDERR_INHERIT,    /* to the supervisor's, which it may then spoil */
	PRONG_STDERR_CONNECTION, /* to the client */
	PRONG_STDERR_NULL,       /* nowhere */
};

/*
 * A program to run for each connection: without a shell, without a copy of the
 * supervisor's memory (vfork(2)), with the connection as standard input and output, no
 * other descriptor, default signal dispositions, an empty signal mask, and a process
 * group of its own. It dies with the supervisor. After its end, what it has written
 * still reaches the client, as after a handler.
 *
 * Its environment is PATH, the variables of env, and those of the connection
 * (UCSPI-TCP): PROTO=TCP TCPLOCALIP TCPLOCALPORT TCPREMOTEIP TCPREMOTEPORT, REMOTE_ADDR
 * REMOTE_PORT REMOTE_HOST, TCPCONNNUM (the number of open connections of this source,
 * this one included; see max_per_source). On a UNIX socket: PROTO=UNIX UNIXREMOTEPID
 * UNIXREMOTEEUID UNIXREMOTEEGID, and REMOTE_ADDR if the client's socket has a name.
 */
struct prong_program {
	const char *const *argv; /* NULL-terminated; [0] is looked up in PATH */
	const char *const *env;  /* "NAME=VALUE", or "NAME" to inherit it; NULL: none */
	const char *directory;   /* to start in; NULL: the supervisor's */
	bool set_umask; /* false: umask must be 0 and the supervisor's is kept */
	mode_t umask;
	enum prong_stderr error_output;

	/*
	 * When the client has reset the connection, and once the program has read what came
	 * before the reset, the program gets SIGTERM; hangup_grace (ms; 0: 5000) later its
	 * group gets SIGTERM, then SIGKILL. ignore_hangup: no signal.
	 */
	bool ignore_hangup;
	int64_t hangup_grace;

	/*
	 * Look up the names of both ends for TCPREMOTEHOST, TCPLOCALHOST and REMOTE_HOST;
	 * only a name that has the address in turn counts. The program is then forked.
	 */
	bool resolve;

	/*
	 * When the program has ended, end the descendants that it leaves, in any process
	 * group or session: SIGTERM, then SIGKILL. It costs a process for each program. The
	 * supervisor reaps orphans: children unknown to it, not from before prong_run().
	 */
	bool kill_descendants;

	/*
	 * The path of prong's shim, prong-warm.so: options.spare programs are kept ready,
	 * linked and waiting before main() for a connection. The shim is preloaded
	 * (ld.so(8)). A program that is setuid, or not dynamically linked with glibc, is
	 * started cold, as the log says. Not with resolve or kill_descendants. NULL: cold.
	 */
	const char *warm;

	/* Let programs debug each other and reach abstract UNIX sockets; landlock(7). */
	bool allow_debugging;
};

/* Which processes accept connections. */
enum prong_accept {
	PRONG_ACCEPT_SUPERVISOR, /* the supervisor, which hands each one to a process */
	/*
	 * The workers: spare of them at first, more, up to max_processes, while clients wait
	 * too long. Faster, but there are no limits or lists of sources, no refusal, no log
	 * lines of single connections, and no SIGTERM at session_timeout. A worker that has
	 * been broken into can take every connection and, without a sandbox, shut the
	 * listener for all. Needs spare over 0, reuse over 1, a handler, and one address.
	 */
	PRONG_ACCEPT_WORKERS,
};

/* What happens to a new client while max_processes are serving. */
enum prong_at_limit {
	PRONG_WAIT,   /* it waits in the kernel's queue until a process is free */
	PRONG_REFUSE, /* it is accepted and closed, after any refusal_text */
};

/* How a refused client is closed; with refusal_text only PRONG_REFUSAL_CLOSE. */
enum prong_refusal {
	PRONG_REFUSAL_CLOSE, /* it reads the end of the connection */
	PRONG_REFUSAL_RESET, /* it gets a reset: fewer packets, and no TIME_WAIT */
};

/*
 * A rate: count connections per period (1 to 86400000 ms) on average, at most burst at
 * once (0: count). count and burst are at most 1000000. count 0: no limit.
 */
struct prong_rate {
	unsigned count;
	int64_t period;
	unsigned burst;
};

/* Which process gives up its privileges. */
enum prong_drop {
	PRONG_DROP_CHILD,      /* each child, before it serves; not the supervisor */
	PRONG_DROP_SUPERVISOR, /* the supervisor, once its listeners are open */
};

/* A resource limit, setrlimit(2); UINT64_MAX: unlimited. */
struct prong_rlimit {
	int resource; /* RLIMIT_... */
	uint64_t soft, hard;
};

/*
 * The privileges with which connections are served. They are changed in this order:
 * resource limits, root directory, supplementary groups, gid, uid (real, effective and
 * saved), no capabilities (with a new uid other than root's, or a sandbox), no new
 * privileges. A child in which one of these steps fails ends before the first byte; its
 * client is refused, and the log names the call that failed.
 */
struct prong_privileges {
	/* Serve as this user and group, with these supplementary groups. */
	bool change_ids;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;

	/*
	 * chroot(2) to this directory; a program is then looked for inside it. Root can
	 * leave the directory again, so change ids as well.
	 */
	const char *root;

	const struct prong_rlimit *limits;
	size_t limit_count;

	/*
	 * Leave no_new_privs (prctl(2)) unset, so that a program may be set-user-ID or have
	 * file capabilities; one of root always may. Not with a sandbox.
	 */
	bool allow_new_privs;

	/*
	 * PRONG_DROP_SUPERVISOR: prong_open() changes ids and root for good, in the calling
	 * process, which must have one thread. A worker that has been broken into can then
	 * signal it, as the same user. Limits are set only in children, as the last step.
	 */
	enum prong_drop drop;
};

/*
 * A sandbox leaves a handler almost nothing: it may receive and send on its connection,
 * half-close it (SHUT_WR), wait, read the clock, and allocate memory. It can use no
 * other descriptor, not even the standard ones, and it has no capability. Anything else
 * (opening a file, making a socket or a process, signalling, changing a mapping's
 * protection, and so also abort(3)) ends the worker and is counted as "crash-sandbox".
 * The sandbox rests on seccomp(2), and on landlock(7) where the kernel has it. Time
 * zones: localtime(3) and mktime(3) look at a file each time unless TZ is set;
 * localtime_r(3) does not, if the supervisor has called tzset(3).
 *
 * The filter is set once, in the process that calls prong_run(), and stays there after
 * it returns. So does a handler of SIGSYS, a signal that can then no longer be blocked
 * or handled otherwise. Calls of that process itself go on working, a little slower,
 * except those that make threads, programs or children that share memory:
 * pthread_create(3), vfork(2), posix_spawn(3), system(3) and popen(3) fail with ENOSYS,
 * execve(2) with EPERM. The process has no_new_privs. Workers are made as by fork(3),
 * except that a static program calls no functions of pthread_atfork(3). On UNIX sockets
 * no descriptors are received (Linux 6.16). Programs are not confined.
 */
enum prong_sandbox {
	PRONG_SANDBOX_OFF,
	PRONG_SANDBOX_AUTO,   /* what this system offers; the log says what */
	PRONG_SANDBOX_STRICT, /* prong_open() fails if a part of it is missing */
};

/* How much is logged. */
enum prong_log_level {
	PRONG_LOG_QUIET = -1,  /* errors only */
	PRONG_LOG_NORMAL = 0,  /* start, limits reached and left, abnormal ends, stop */
	PRONG_LOG_CONNECTIONS, /* also a line for each connection: close or refused */
	PRONG_LOG_VERBOSE,     /* also connect, serve and reap */
};

enum prong_log_format {
	PRONG_LOGFMT,   /* time=... level=info event=close conn=7 reason=eof ... */
	PRONG_LOG_JSON, /* {"time":"...","level":"info","event":"close","conn":7,...} */
};

/*
 * Receives each log line, in the supervisor: length bytes of text without a newline,
 * NUL-terminated, valid during the call. It must not block.
 */
typedef void prong_log(void *arg, const char *line, size_t length);

/* 0 stands for the default beside each field. A field without effect is refused. */
struct prong_options {
	/*
	 * sizeof(struct prong_options) as the program was compiled. A library of another
	 * version takes missing fields as zero, and accepts fields that it does not know
	 * only if they are zero (else -E2BIG), as openat2(2) does. The size covers at least
	 * the fields up to listen, and is at most 4096.
	 */
	size_t size;

	/*
	 * NULL-terminated list of "host:port", ":port" (every address, both families),
	 * "[v6]:port", "unix:/path" and "unix:@name" (abstract). With port 0 the kernel
	 * chooses a port, the same for all addresses of a name. If only some addresses of a
	 * name fail, the log says so. NULL: "127.0.0.1:7007". A UNIX socket on which no
	 * server answers is replaced; the path is removed at the end.
	 */
	const char *const *listen;

	/* Of UNIX sockets with a path. mode 0: by the umask; id -1: unchanged. */
	struct {
		mode_t mode;
		bool change_owner;
		uid_t uid;
		gid_t gid;
	} socket;

	/*
	 * listen_fd_count listening sockets that are open already, to be served as well; if
	 * listen is NULL, instead. If prong_open() succeeds they belong to the server, which
	 * closes them; it does not remove a UNIX path, and other processes may go on
	 * listening. O_NONBLOCK, SO_KEEPALIVE and TCP_NODELAY are set on them, also for
	 * others that share them. Each is at least keep_fds. Names are for the log, or NULL.
	 */
	const int *listen_fds;
	const char *const *listen_names;
	size_t listen_fd_count;

	unsigned max_processes; /* processes at once, 1 to 1000000 (0: 1000) */
	unsigned spare;         /* idle processes kept ready, at most max_processes */

	/* Connections that a process serves (0: 1), or PRONG_REUSE_ALWAYS. */
	unsigned reuse;
	enum prong_accept accept; /* 0: PRONG_ACCEPT_SUPERVISOR */

	/*
	 * A program to run instead of a handler, which must then be NULL. reuse must be 0 or
	 * 1; spare must be over 0 with program->warm, and else 0.
	 */
	const struct prong_program *program;
	enum prong_at_limit at_limit;
	enum prong_refusal refusal;
	const char *refusal_text; /* sent to a refused client; NULL: none */
	const char
		*banner; /* sent first to all others, at most 4096 bytes; NULL: none */

	/*
	 * Which clients are allowed: NULL-terminated lists of prefixes: "192.0.2.0/24",
	 * "2001:db8::/32", an address, or "all"; NULL: none. The longest prefix that matches
	 * decides. A client that no prefix matches is allowed, unless only allow is given
	 * (an empty list counts as not given). UNIX sockets are not affected. Both lists
	 * together: at most 256 prefixes.
	 */
	const char *const *allow;
	const char *const *deny;

	/*
	 * Limits per source. A source is a client address cut to source_prefix_ipv4 (0: 32)
	 * or source_prefix_ipv6 (0: 64) bits; on a UNIX socket it is the client's user. rate
	 * is for all sources together. exempt lists at most 256 prefixes, as above, to which
	 * none of the three limits applies. A client over a limit is refused; refused
	 * clients count towards none. The last 65536 sources that left keep their rates.
	 */
	unsigned max_per_source; /* connections at once (0: no limit) */
	struct prong_rate rate_per_source, rate;
	unsigned source_prefix_ipv4, source_prefix_ipv6;
	const char *const *exempt;

	/* NULL: the supervisor's own; see also allow_new_privs. */
	const struct prong_privileges *privileges;
	enum prong_sandbox sandbox;
	/* Time without traffic until prong_recv(), prong_send() give -ETIMEDOUT (0: never). */
	int64_t idle_timeout;

	/*
	 * The longest time of a connection (0: unlimited). After it prong_recv() and
	 * prong_send() fail with -ETIMEDOUT. A handler that has not returned half a second
	 * later gets SIGTERM, and after another half a second SIGKILL.
	 */
	int64_t session_timeout;
	/* From the first stop signal to SIGKILL (0: 30000; negative: at once). */
	int64_t grace;
	/* SO_KEEPALIVE in whole seconds, TCP_USER_TIMEOUT (0: the system's). TCP only. */
	int64_t keepalive_idle, keepalive_interval, user_timeout;
	unsigned keepalive_count;
	bool no_keepalive;
	/* The time and size to read on after the last byte sent (0: 2000; 1 MiB). */
	int64_t linger;
	size_t linger_bytes;

	/*
	 * When prong_run() is ready to serve, a line with the address of each listener is
	 * written here (0: none). Then it is closed, or, below keep_fds, becomes /dev/null.
	 */
	int ready_fd;

	/*
	 * The socket of a service manager, a path or "@" and an abstract name; NULL: none.
	 * It is sent READY=1, STOPPING=1, STATUS= (sd_notify(3)); a failure is logged.
	 */
	const char *notify;

	/*
	 * Log lines are written to log_fd (0: no log; usually 2) and never block: while the
	 * reader stalls, lines are dropped and counted, and clients are still served. If log
	 * is set, lines go to that function instead.
	 */
	int log_fd;
	enum prong_log_level log_level;
	enum prong_log_format log_format;
	prong_log *log;
	void *log_arg;

	/*
	 * Workers keep the descriptors below this one, at most 1024 (0: 3). Those that are
	 * free in prong_open() become /dev/null: nothing of the supervisor lands there.
	 */
	int keep_fds;

	/* A buffer of PRONG_ERROR_MAX bytes for what failed; NULL: none. */
	char *error;
	size_t error_size;

	/*
	 * Run each program as a user and group of its own, of the user_count ids from
	 * user_first on (0: no). No other process may have these ids: whatever runs as such
	 * a user is killed before a program does. At least two ids for each of
	 * max_processes; not together with change_ids.
	 */
	uid_t user_first;
	unsigned user_count;
};

#define PRONG_REUSE_ALWAYS ((unsigned)-1)
#define PRONG_ERROR_MAX    512

/*
 * Makes a server: checks the options, opens every listener, reserves the tables. First
 * a child, of which no SIGCHLD tells, tries privileges, sandbox and directory.
 *
 * On success *out is the server; release it with prong_close(). From then on the kernel
 * queues clients; prong_run() serves them. The options and what they point to are
 * needed only during the call, except refusal_text, banner, listen_names, the program's
 * strings, ready_fd, log_fd, log_arg and error, which must last as long as the server.
 *
 * Returns 0, or, explained in options->error: -EINVAL for an option out of range, a
 * malformed address or prefix, or more than 64 listeners; -EPERM or another errno of
 * the privilege step that failed; -ENOTSUP for what this kernel lacks, as for a strict
 * sandbox; -EADDRINUSE, -EACCES, -EEXIST (the path exists and is not a socket),
 * -EADDRNOTAVAIL and others of bind(2); -E2BIG for an option that this version does not
 * know; -EHOSTUNREACH for a name that is not found; -ENAMETOOLONG for a UNIX path over
 * 107 bytes; -ENOENT, -EACCES, -ENOEXEC for a program that cannot be run; -ENOMEM,
 * -EMFILE.
 */
PRONG_PUBLIC int prong_open(struct prong **out, const struct prong_options *options,
			    prong_handler *handler, void *arg);

/*
 * Runs the server: the calling process is the supervisor until it is told to stop. Call
 * it once (again: -EINVAL), from a process with one thread.
 *
 * SIGTERM or SIGINT: a graceful stop. No new clients; clients already in the queue are
 * served; sessions may finish within options.grace, then they get SIGTERM and SIGKILL.
 * A second one, or SIGQUIT: all sessions end now. SIGUSR1 logs the totals. SIGHUP and
 * SIGUSR2 are logged and have no effect. Until prong_run() returns, all signals except
 * those of job control are blocked and have default dispositions, every child of the
 * process, whichever code made it, is reaped with waitid(2), and the soft limit of
 * descriptors is as high as max_processes needs. All three are restored at the end.
 *
 * Returns 0 if it was stopped as asked and every worker has been reaped, or a negative
 * errno if the supervisor could not go on (-ENOMEM; -EMFILE; -ENOTSUP if the sandbox of
 * prong_open() is no longer available; -EPERM for a refused system call). All sessions
 * have then been ended and reaped too, and options.error says what failed.
 */
PRONG_PUBLIC int prong_run(struct prong *server);

/* Closes the listeners, if they are open, and frees the server. NULL is allowed. */
PRONG_PUBLIC void prong_close(struct prong *server);

/*
 * Writes the address of listener index (from 0), with its port, as text. 128 bytes are
 * always enough for it.
 *
 * Returns 0; -ENOENT if there is no such listener; -ENOSPC if size is too small.
 */
PRONG_PUBLIC int prong_listener(const struct prong *server, unsigned index, char *text,
				size_t size);

/*
 * Receives up to n bytes and counts them; waits for the first one.
 *
 * Returns how many; 0 if the client has ended its sending (it may still be receiving);
 * also 0, at once, if n is 0, which says nothing about the client; -ETIMEDOUT after
 * idle_timeout or session_timeout; -ECONNRESET if the client is gone, or another errno
 * of recv(2). EINTR is retried. Source: recv(2), tcp(7).
 */
PRONG_PUBLIC ssize_t prong_recv(struct prong_conn *conn, void *buf, size_t n);

/*
 * Sends all n bytes and counts them; waits as long as the timeouts allow.
 *
 * Returns 0 when the kernel has taken them all; -ETIMEDOUT as in prong_recv(); -EPIPE
 * or -ECONNRESET if the client is gone (never SIGPIPE). After a failure an unknown part
 * has been sent, and the connection cannot be used any more.
 */
PRONG_PUBLIC int prong_send(struct prong_conn *conn, const void *buf, size_t n);

/*
 * The connection's descriptor: blocking, close-on-exec, owned by the library. Bytes
 * that you move on it directly are counted from TCP_INFO at the end (tcp(7)), but
 * idle_timeout does not see them. Prefer prong_recv() and prong_send(): TLS and PROXY
 * headers can be added below those without a change to the handler.
 */
PRONG_PUBLIC int prong_conn_fd(const struct prong_conn *conn);

/*
 * The client's address, valid as long as conn; *length, if given, receives its size. A
 * v4-mapped IPv6 address is given as IPv4.
 */
PRONG_PUBLIC const struct sockaddr *prong_conn_peer(const struct prong_conn *conn,
						    socklen_t *length);

/* Its number, conn= in the log, from 1; with PRONG_ACCEPT_WORKERS only unique. */
PRONG_PUBLIC uint64_t prong_conn_id(const struct prong_conn *conn);

/* The version of the library in use: PRONG_VERSION as it was when that was built. */
PRONG_PUBLIC const char *prong_version(void);

#ifdef __cplusplus
}
#endif
#endif
