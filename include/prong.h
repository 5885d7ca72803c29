/*
 * prong.h - TCP servers in which every connection has a process of its own.
 *
 * The calling process becomes the supervisor: it listens, accepts, gives each
 * connection to a worker process, and collects the workers when they end.
 * A crash or a leak stays inside one connection; in a sandbox, so does a break-in.
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
 * Conventions. Calls return 0 (or a count) or a negative errno; what a pointer
 * argument would have received is untouched after a failure. The library prints
 * nothing unless asked to log, never calls exit(3) in the caller's process, and
 * keeps no global state, but for what a sandbox changes in the process itself. Times
 * are in milliseconds, ten years at most; sizes are in bytes.
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
 * Serves one connection; runs in a worker process, never in the supervisor.
 *
 * conn is valid until the handler returns; do not close its descriptor. The library
 * ends the connection afterwards so that what was sent still arrives: half-close, read
 * on for a bounded time and size, close (at once, though, when a deadline was over).
 * arg is the pointer given to prong_open(), in this process's copy of the memory.
 *
 * Return 0 when the connection was served, or the negative errno of a prong_recv() or
 * prong_send() that failed. Any other value is counted as "failed". A worker that
 * leaves by exit(0) counts as having served; by another status, as crashed.
 *
 * The worker has default signal dispositions, an empty signal mask, a process group of its
 * own, no terminal to read, no descriptor from options.keep_fds up but the connection, and
 * it dies with the supervisor. It leaves by _exit(2), so flush your own stdio streams. With
 * options.reuse other than 1 the same process serves several connections, one after the
 * other, and until the last of them also has the socket that brings the next.
 */
typedef int prong_handler(struct prong_conn *conn, void *arg);

/* Where a program's standard error goes. */
enum prong_stderr {
	PRONG_STDERR_LOG,     /* to the log, a line "said" each; nowhere without one */
	PRONG_STDERR_INHERIT, /* where the supervisor's goes, which it can then spoil */
	PRONG_STDERR_CONNECTION, /* to the client */
	PRONG_STDERR_NULL,       /* nowhere */
};

/*
 * A program to run for each connection: without a shell, without a copy of the
 * supervisor's memory (vfork(2)), with the connection as standard input and output,
 * no other descriptor, default signal dispositions, an empty mask, and a process
 * group of its own. It dies with the supervisor. When it ends, what it has written
 * still reaches the client, as after a handler.
 *
 * Its environment is PATH, what env adds, and of the connection (UCSPI-TCP):
 * PROTO=TCP TCPLOCALIP TCPLOCALPORT TCPREMOTEIP TCPREMOTEPORT, REMOTE_ADDR
 * REMOTE_PORT REMOTE_HOST, TCPCONNNUM (how many connections of that source are
 * open, this one counted; see max_per_source); on a UNIX socket PROTO=UNIX
 * UNIXREMOTEPID UNIXREMOTEEUID UNIXREMOTEEGID, REMOTE_ADDR if the peer has a name.
 */
struct prong_program {
	const char *const *argv; /* NULL-terminated; [0] is looked up in PATH */
	const char *const *env;  /* "NAME=VALUE", or "NAME" to hand down; NULL: none */
	const char *directory;   /* to start in; NULL: the supervisor's */
	bool set_umask;          /* whether umask counts */
	mode_t umask;
	enum prong_stderr error_output;

	/*
	 * After a reset by the client, and once it has read what came before, it gets
	 * SIGTERM; hangup_grace (ms; 0: 5000) later its group TERM, then KILL. Unless set.
	 */
	bool ignore_hangup;
	int64_t hangup_grace;

	/*
	 * Look up the names of both ends: TCPREMOTEHOST, TCPLOCALHOST, REMOTE_HOST, where
	 * a name has that address in its turn. The program is forked for that.
	 */
	bool resolve;

	/*
	 * When the program has ended, end what it has left behind in any group or session:
	 * SIGTERM, then SIGKILL. That costs a process for each. The supervisor collects
	 * orphans: children that it does not know, but for those from before prong_run().
	 */
	bool kill_descendants;

	/*
	 * The path of prong's shim, prong-warm.so: options.spare programs are then kept
	 * ready, linked, waiting before main() for a connection. The shim is preloaded
	 * (ld.so(8)); a program that is not dynamically linked with glibc, or is setuid, is
	 * started cold, as the log says. Not with resolve or kill_descendants. NULL: cold.
	 */
	const char *warm;

	/* Let programs debug each other, and reach abstract UNIX sockets; landlock(7). */
	bool allow_debugging;
};

/* Who takes connections off the kernel's queue. */
enum prong_accept {
	PRONG_ACCEPT_SUPERVISOR, /* and hands each over to one process */
	/*
	 * Each of spare processes for itself, which is faster; up to max_processes are
	 * made while clients wait too long. Given up: limits and lists of sources, and
	 * refusing; log lines of single connections; SIGTERM at session_timeout. A worker
	 * that has been broken into can take all connections, and without a sandbox shut
	 * the listener for all. Needs spare over 0, reuse over 1, a handler, one address.
	 */
	PRONG_ACCEPT_WORKERS,
};

/* What is done with a client who comes when max_processes are at work. */
enum prong_at_limit {
	PRONG_WAIT,   /* leave it in the kernel's queue until a process is free */
	PRONG_REFUSE, /* accept and close it, after refusal_text if there is one */
};

/* What a client that is refused meets, where there is no text for it. */
enum prong_refusal {
	PRONG_REFUSAL_CLOSE, /* the end of its connection */
	PRONG_REFUSAL_RESET, /* a reset: fewer packets, and no TIME_WAIT */
};

/*
 * A rate: count connections in period milliseconds (1 to 86400000) on average, and
 * burst at once (0: count). Both counts are 1000000 at most. count 0: no limit.
 */
struct prong_rate {
	unsigned count;
	int64_t period;
	unsigned burst;
};

/* Which process gives up rights. */
enum prong_drop {
	PRONG_DROP_CHILD, /* each child, before it serves; the supervisor keeps them */
	PRONG_DROP_SUPERVISOR, /* the supervisor, once its listeners are open */
};

/* A resource limit, setrlimit(2); UINT64_MAX is none. */
struct prong_rlimit {
	int resource; /* RLIMIT_... */
	uint64_t soft, hard;
};

/*
 * The rights with which connections are served. Taken in this order: limits, root,
 * groups, gid, uid (each as real, effective and saved id), all capabilities away (with
 * a new uid that is not root's, or a sandbox), no new privileges. A child in which one
 * of these fails ends before the first byte, its client is refused, and the log says
 * which call failed.
 */
struct prong_privileges {
	/* Serve as this user and group, and with these supplementary groups. */
	bool change_ids;
	uid_t uid;
	gid_t gid;
	const gid_t *groups;
	size_t group_count;

	/*
	 * chroot(2) to this directory; the program is then looked for inside it. Root
	 * can leave it again: change ids as well.
	 */
	const char *root;

	const struct prong_rlimit *limits;
	size_t limit_count;

	/*
	 * Leave no_new_privs (prctl(2)) unset: the program may be set-user-ID or have
	 * file capabilities; one of root always may. Not together with a sandbox.
	 */
	bool allow_new_privs;

	/*
	 * PRONG_DROP_SUPERVISOR: prong_open() changes ids and root, for good, in the
	 * calling process, which has one thread. A worker that has been broken into can
	 * signal it, as the same user. Limits, which children take, come last there.
	 */
	enum prong_drop drop;
};

/*
 * What a handler may still do in its worker when it may do next to nothing: receive
 * and send on its connection, half-close it (SHUT_WR), wait, read the clock, and have
 * memory. No other descriptor is of use to it, not even the standard ones, and it has
 * no capability. Anything else (opening a file, making a socket or a process,
 * signalling, changing a mapping's protection, and so abort(3) as well) ends the
 * worker; that is counted as "crash-sandbox". By seccomp(2), and by landlock(7) where
 * the kernel has that. Time zones: localtime(3) and mktime(3) look at a file each time
 * unless TZ is set; localtime_r(3) does not, if the supervisor has called tzset(3).
 *
 * The filter is set once, in the process that calls prong_run(), and stays there when
 * that returns; so does a handler of SIGSYS, a signal that can then no more be blocked
 * or taken. What that process itself then calls goes on working, a little slower, except
 * what makes threads, programs or children that share memory: pthread_create(3),
 * vfork(2), posix_spawn(3), system(3), popen(3) fail with ENOSYS, execve(2) with EPERM.
 * It has no_new_privs. Workers are as fork(3) makes them, but that in a static program
 * no function of pthread_atfork(3) is called. On UNIX sockets no descriptors are received
 * (Linux 6.16). For handlers only: a program (options.program) is not confined.
 */
enum prong_sandbox {
	PRONG_SANDBOX_OFF,
	PRONG_SANDBOX_AUTO,   /* what this system has; the log's line "start" tells */
	PRONG_SANDBOX_STRICT, /* prong_open() fails if a part of it is missing */
};

/* How much is logged. */
enum prong_log_level {
	PRONG_LOG_QUIET = -1,  /* errors only */
	PRONG_LOG_NORMAL = 0,  /* start, limits reached and left, abnormal ends, stop */
	PRONG_LOG_CONNECTIONS, /* and one line for each connection: close, or refused */
	PRONG_LOG_VERBOSE,     /* and connect, serve and reap */
};

enum prong_log_format {
	PRONG_LOGFMT,   /* time=... level=info event=close conn=7 reason=eof ... */
	PRONG_LOG_JSON, /* {"time":"...","level":"info","event":"close","conn":7,...} */
};

/*
 * Receives each log line in the supervisor: length bytes of text, without a
 * newline, NUL-terminated, valid during the call. It must not block.
 */
typedef void prong_log(void *arg, const char *line, size_t length);

/* Zero stands for the default named beside it; a field without effect is refused. */
struct prong_options {
	/*
	 * sizeof(struct prong_options) as the program was compiled. A library of another
	 * version takes missing fields as zero, and accepts fields that it does not know
	 * only if they are zero (else -E2BIG), as openat2(2) does. The size reaches at
	 * least to the end of listen, and is 4096 at most.
	 */
	size_t size;

	/*
	 * NULL-terminated list of "host:port", ":port" (every address, both families),
	 * "[v6]:port", "unix:/path" and "unix:@name" (abstract); port 0 lets the kernel
	 * choose, one for all addresses of a name. Some of these may fail; the log tells.
	 * NULL: "127.0.0.1:7007". A UNIX socket on which no server answers is replaced,
	 * and the path is removed at the end.
	 */
	const char *const *listen;

	/* Of UNIX sockets with a path in listen; mode 0: the umask's; id -1: it stays. */
	struct {
		mode_t mode;
		bool change_owner;
		uid_t uid;
		gid_t gid;
	} socket;

	/*
	 * Listening sockets that are open already, of listen_fd_count, to be served too;
	 * with NULL in listen, instead. If prong_open() succeeds they are the server's,
	 * which closes them; a UNIX path is not removed, and others may go on listening
	 * there. O_NONBLOCK, SO_KEEPALIVE and TCP_NODELAY are set on them for every process
	 * that shares them. None may be below keep_fds. listen_names: NULL, or names for
	 * the log.
	 */
	const int *listen_fds;
	const char *const *listen_names;
	size_t listen_fd_count;

	unsigned max_processes; /* processes at once, 1 to 1000000 (0: 1000) */
	unsigned spare; /* idle processes kept ready; more than max_processes are not */

	/* Connections a process serves before it is replaced (0: 1); PRONG_REUSE_ALWAYS. */
	unsigned reuse;
	enum prong_accept accept; /* 0: PRONG_ACCEPT_SUPERVISOR */

	/*
	 * A program to run instead of a handler, which is NULL then. reuse must be
	 * 0 or 1, and spare 0 unless with program->warm, which needs some.
	 */
	const struct prong_program *program;
	enum prong_at_limit at_limit;
	enum prong_refusal refusal;
	const char *refusal_text; /* sent to a refused client; NULL: none */
	const char *banner; /* sent first to all others, up to 4096 bytes; NULL: none */

	/*
	 * Who may come in. NULL-terminated lists of prefixes: "192.0.2.0/24",
	 * "2001:db8::/32", an address, or "all"; NULL: none. The longest prefix that
	 * holds a client decides; one that none holds may come in, unless only allow
	 * is given (an empty list is none). UNIX sockets are not concerned. 256
	 * prefixes at most, those of both lists together.
	 */
	const char *const *allow;
	const char *const *deny;

	/*
	 * Limits for each source: a client's address, cut to source_prefix_ipv4 (0:
	 * 32) or source_prefix_ipv6 (0: 64) bits; on a UNIX socket its user. rate
	 * is for all sources together. exempt lists prefixes, as above, that none of
	 * the three concerns, 256 at most. A client over a limit is refused, and counts
	 * towards none. The rates of the last 65536 sources that left are remembered.
	 */
	unsigned max_per_source; /* connections at once (0: no limit) */
	struct prong_rate rate_per_source, rate;
	unsigned source_prefix_ipv4, source_prefix_ipv6;
	const char *const *exempt;

	/* NULL: those of the supervisor. allow_new_privs tells when children may gain more. */
	const struct prong_privileges *privileges;
	enum prong_sandbox sandbox;
	/* No byte moved for so long: prong_recv(), prong_send() fail, -ETIMEDOUT (0: none). */
	int64_t idle_timeout;

	/*
	 * The longest time of a connection (0: none). After it prong_recv() and
	 * prong_send() fail with -ETIMEDOUT; a handler that has not returned half a
	 * second later gets SIGTERM, and SIGKILL after another half.
	 */
	int64_t session_timeout;
	/* From the first stop signal to SIGKILL (0: 30000; negative: at once). */
	int64_t grace;
	/* SO_KEEPALIVE's, whole seconds, and TCP_USER_TIMEOUT (0: the system's). TCP only. */
	int64_t keepalive_idle, keepalive_interval, user_timeout;
	unsigned keepalive_count;
	bool no_keepalive;
	/* How long and how much to read on after the last byte (0: 2000; 1 MiB). */
	int64_t linger;
	size_t linger_bytes;

	/*
	 * When prong_run() is ready to serve, a line with the address of each listener is
	 * written here; it is closed, or is /dev/null if it is below keep_fds (0: none).
	 */
	int ready_fd;

	/*
	 * The socket of a service manager, a path or "@" and an abstract name, to be
	 * told READY=1, STOPPING=1 and a STATUS= as sd_notify(3) does; NULL: none.
	 * Where it cannot be reached a line of the log says so.
	 */
	const char *notify;

	/*
	 * Log lines are written to log_fd (0: no log; usually 2) without ever
	 * blocking: a reader that stalls costs lines, which are counted, and
	 * not service. With log set they go to that function instead.
	 */
	int log_fd;
	enum prong_log_level log_level;
	enum prong_log_format log_format;
	prong_log *log;
	void *log_arg;

	/*
	 * Workers keep descriptors below this one open, up to 1024 (0: 3). Those that are
	 * free in prong_open() become /dev/null: nothing of the supervisor's lands there.
	 */
	int keep_fds;

	/* For a line: what failed in prong_open() or _run(), of PRONG_ERROR_MAX. NULL: none. */
	char *error;
	size_t error_size;

	/*
	 * Run each program as a user, and group, of its own, of user_count ids from
	 * user_first on (0: do not). These must be no other process's: all that runs as
	 * that user is killed first. Two for each of max_processes; not with change_ids.
	 */
	uid_t user_first;
	unsigned user_count;
};

#define PRONG_REUSE_ALWAYS ((unsigned)-1)
#define PRONG_ERROR_MAX    512

/*
 * Makes a server: checks the options, opens every listener, reserves the tables.
 * With rights, a sandbox, or a program's directory, a child tries these out first; no
 * SIGCHLD tells of it.
 *
 * On success *out is the server; release it with prong_close(). From now on the kernel
 * queues clients; prong_run() serves them. The options and what they point to are
 * needed only during the call, but for refusal_text, banner, listen_names, the program's
 * strings, ready_fd, log_fd, log_arg and error, which must last as long as the server.
 *
 * Returns 0; -EINVAL for an option out of range, a malformed address or prefix, or more
 * than 64 listeners; -EPERM or another errno of the step of rights that failed;
 * -ENOTSUP for what this kernel lacks, as for a strict sandbox; -EADDRINUSE, -EACCES, -EEXIST
 * (the path is there and is no socket), -EADDRNOTAVAIL and others of bind(2); -E2BIG
 * for an option that this version does not know; -EHOSTUNREACH for a name that does not
 * resolve; -ENAMETOOLONG for a UNIX path over 107 bytes; -ENOENT, -EACCES, -ENOEXEC for
 * a program that cannot be run; -ENOMEM, -EMFILE. options->error says which.
 */
PRONG_PUBLIC int prong_open(struct prong **out, const struct prong_options *options,
			    prong_handler *handler, void *arg);

/*
 * Runs the server: the calling process becomes the supervisor until it is told
 * to stop. Call it once (again: -EINVAL), from a process with one thread.
 *
 * SIGTERM or SIGINT: no new clients; those already queued are served, sessions
 * may finish until options.grace; then SIGTERM and SIGKILL. A second one, or
 * SIGQUIT: all sessions end now. SIGUSR1 logs the totals. SIGHUP and SIGUSR2
 * are logged and have no effect yet. Until it returns all signals but those of
 * job control are blocked and have default dispositions, every child of the
 * process, whoever started it, is collected with waitid(2), and the soft limit
 * of descriptors is as max_processes needs it. All three are put back at the end.
 *
 * Returns 0 when it was stopped as asked and every worker has been collected, or a
 * negative errno if the supervisor could not go on (-ENOMEM; -EMFILE; -ENOTSUP, where the
 * sandbox of prong_open() is there no more; -EPERM for a refused system call). Sessions,
 * if any, have then been ended and collected too, and options.error says what failed.
 */
PRONG_PUBLIC int prong_run(struct prong *server);

/* Closes the listeners, if they are open, and frees the server. NULL is allowed. */
PRONG_PUBLIC void prong_close(struct prong *server);

/*
 * Writes the address of listener index (from 0) as text, with the port the
 * kernel chose. 128 bytes are always enough.
 *
 * Returns 0; -ENOENT if there is no such listener; -ENOSPC if size is short.
 */
PRONG_PUBLIC int prong_listener(const struct prong *server, unsigned index, char *text,
				size_t size);

/*
 * Receives up to n bytes, waiting for the first of them. Counts them.
 *
 * Returns how many; 0 when the client has ended its sending (it may still be receiving),
 * or at once if n is 0, which tells nothing of the client; -ETIMEDOUT when idle_timeout
 * or session_timeout is over; -ECONNRESET when the client is gone, or another errno of
 * recv(2). EINTR is retried. Source: recv(2), tcp(7).
 */
PRONG_PUBLIC ssize_t prong_recv(struct prong_conn *conn, void *buf, size_t n);

/*
 * Sends all n bytes, waiting as long as the deadlines allow. Counts them.
 *
 * Returns 0 when the kernel has them all; -ETIMEDOUT as in prong_recv();
 * -EPIPE or -ECONNRESET when the client is gone (never SIGPIPE). After a
 * failure an unknown part has been sent, and the connection is of no more use.
 */
PRONG_PUBLIC int prong_send(struct prong_conn *conn, const void *buf, size_t n);

/*
 * The connection's descriptor: blocking, close-on-exec, still the library's.
 * Bytes moved on it directly are counted from TCP_INFO at the end (tcp(7)), but
 * idle_timeout cannot see them. Prefer prong_recv() and prong_send(): TLS and
 * PROXY headers can come under those without a change.
 */
PRONG_PUBLIC int prong_conn_fd(const struct prong_conn *conn);

/*
 * The client's address, valid as long as conn; *length, if given, receives its
 * size. A v4-mapped IPv6 address is given as IPv4.
 */
PRONG_PUBLIC const struct sockaddr *prong_conn_peer(const struct prong_conn *conn,
						    socklen_t *length);

/* Its number, conn= in the log, from 1; with PRONG_ACCEPT_WORKERS any that is unique. */
PRONG_PUBLIC uint64_t prong_conn_id(const struct prong_conn *conn);

/* The version of the library in use, as PRONG_VERSION was when it was built. */
PRONG_PUBLIC const char *prong_version(void);

#ifdef __cplusplus
}
#endif
#endif
