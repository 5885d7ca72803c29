#include "sandbox.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <assert.h>
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "base/call.h"
#include "base/fork.h"
#include "base/gate.h"
#include "trap.h"

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#endif

/* Their shadow memory and their reports need far more than a worker may do. */
#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#if defined(ARCHITECTURE) && GATE_EXISTS && !defined(SANITIZED)

#define CODE_MAX 256

/* These numbers are the same on every processor; older headers lack them. */
#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self  446
#endif

/*
 * These calls affect only the process itself and the descriptors that it has: of a
 * worker, its connection and its channel, or the listener if it accepts for itself.
 * Calls that only the supervisor needs are listed because it makes them for every
 * connection. None of them changes what is executable, how a signal is handled, or to
 * which process one is sent.
 */
static const int allowed[] = {
	SYS_recvfrom, SYS_sendto, SYS_recvmsg, SYS_read, SYS_write, SYS_readv,
	SYS_writev, SYS_ppoll, SYS_close, SYS_close_range, SYS_getsockopt,
	SYS_getsockname, SYS_getpeername, SYS_accept4, SYS_epoll_pwait, SYS_epoll_ctl,
	SYS_waitid, SYS_clock_gettime, SYS_gettimeofday, SYS_nanosleep,
	SYS_clock_nanosleep, SYS_brk, SYS_munmap, SYS_getpid, SYS_getppid, SYS_gettid,
	SYS_getrandom, SYS_rt_sigreturn, SYS_restart_syscall, SYS_exit, SYS_exit_group,
	SYS_sched_yield,
	/* Used on the way into the sandbox; afterwards they can only take away. */
	SYS_capget, SYS_capset, SYS_landlock_restrict_self,
#ifdef SYS_poll
	SYS_poll,
#endif
#ifdef SYS_epoll_wait
	SYS_epoll_wait,
#endif
#ifdef SYS_time
	SYS_time,
#endif
	-1, /* a call that a tracer such as strace suppresses */
};

/*
 * Allowed if an argument, masked by mask, is one of values: memory that is not
 * executable; half-closing (which does nothing to a listener, while shutting its other
 * half would shut it for all); the connection's queues; waiting only on memory of its
 * own. As root, some advice of madvise(2) would take memory away from the machine, or
 * from processes that share it.
 */
static const struct conditional {
	int number;
	unsigned argument;
	uint32_t mask;
	unsigned count;
	uint32_t values[4];
} conditional[] = {
	{ SYS_mmap, 2, PROT_EXEC, 1, { 0 } },
	{ SYS_shutdown, 1, ~0U, 1, { SHUT_WR } },
	{ SYS_ioctl, 1, ~0U, 2, { SIOCOUTQ, SIOCINQ } },
	{ SYS_madvise,
	  2,
	  ~0U,
	  4,
	  { MADV_DONTNEED, MADV_FREE, MADV_HUGEPAGE, MADV_NOHUGEPAGE } },
	{ SYS_futex,
	  1,
	  ~(uint32_t)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME),
	  4,
	  { FUTEX_WAIT, FUTEX_WAKE, FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET } },
};

/*
 * Allowed with these two arguments only; if only one matters, it is named twice. The
 * first four are needed on the way into the sandbox.
 */
static const struct exact {
	int number;
	unsigned argument[2];
	uint32_t value[2];
} exact[] = {
	{ SYS_prctl, { 0, 1 }, { PR_SET_PDEATHSIG, SIGKILL } },
	{ SYS_prctl, { 0, 1 }, { PR_SET_NO_NEW_PRIVS, 1 } },
	{ SYS_setsid, { 0, 1 }, { SANDBOX_WAY_IN, SANDBOX_WAY_IN } },
	{ SYS_setpgid, { 0, 1 }, { 0, 0 } },
	{ SYS_rt_sigprocmask, { 0, 0 }, { SIG_UNBLOCK, SIG_UNBLOCK } },
};

struct code {
	struct sock_filter at[CODE_MAX];
	unsigned short length;
};

static void statement(struct code *code, int what, uint32_t value)
{
	assert(code->length < CODE_MAX);
	code->at[code->length++] =
		(struct sock_filter)BPF_STMT((unsigned short)what, value);
}

/* Continues with the next statement if the comparison holds; otherwise skips some. */
static void unless_skip(struct code *code, int comparison, uint32_t value, int skip)
{
	assert(code->length < CODE_MAX);
	code->at[code->length++] = (struct sock_filter)BPF_JUMP(
		(unsigned short)(BPF_JMP | comparison | BPF_K), value, 0,
		(unsigned char)skip);
}

static void load(struct code *code, size_t offset)
{
	statement(code, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset);
}

static void give(struct code *code, uint32_t completion)
{
	statement(code, BPF_RET | BPF_K, completion);
}

#define ARGUMENT(n) \
	(offsetof(struct seccomp_data, args) + (n) * sizeof(uint64_t)) /* low half */

/* The kernel remembers which numbers are allowed with any arguments: seccomp(2). */
static void allow_numbers(struct code *code)
{
	load(code, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
		unless_skip(code, BPF_JEQ, (uint32_t)allowed[i], 1);
		give(code, SECCOMP_RET_ALLOW);
	}
}

/* All three expect the number to be loaded, and load it again at the end. */
static void allow_exact(struct code *code, const struct exact *row)
{
	unless_skip(code, BPF_JEQ, (uint32_t)row->number, 6);
	load(code, ARGUMENT(row->argument[0]));
	unless_skip(code, BPF_JEQ, row->value[0], 3);
	load(code, ARGUMENT(row->argument[1]));
	unless_skip(code, BPF_JEQ, row->value[1], 1);
	give(code, SECCOMP_RET_ALLOW);
	load(code, offsetof(struct seccomp_data, nr));
}

/*
 * A child tells the kernel the address of libc's list of robust mutexes, and no other.
 */
static void allow_by_arguments(struct code *code, const struct fork_way *way)
{
	const struct exact own_list = { SYS_set_robust_list,
					{ 0, 1 },
					{ (uint32_t)(uintptr_t)way->robust,
					  sizeof(struct robust_list_head) } };

	for (size_t i = 0; i < sizeof(exact) / sizeof(exact[0]); i++)
		allow_exact(code, &exact[i]);
	if (way->robust != NULL)
		allow_exact(code, &own_list);
}

static void allow_by_argument(struct code *code)
{
	for (size_t i = 0; i < sizeof(conditional) / sizeof(conditional[0]); i++) {
		const struct conditional *row = &conditional[i];

		unless_skip(code, BPF_JEQ, (uint32_t)row->number,
			    (int)(2 * row->count + 3));
		load(code, ARGUMENT(row->argument));
		statement(code, BPF_ALU | BPF_AND | BPF_K, row->mask);
		for (unsigned j = 0; j < row->count; j++) {
			unless_skip(code, BPF_JEQ, row->values[j], 1);
			give(code, SECCOMP_RET_ALLOW);
		}
		load(code, offsetof(struct seccomp_data, nr));
	}
}

static void allow_gate(struct code *code)
{
	uint64_t at = (uint64_t)(size_t)gate_place().instruction;

	load(code, offsetof(struct seccomp_data, instruction_pointer));
	unless_skip(code, BPF_JEQ, (uint32_t)at, 3);
	load(code, offsetof(struct seccomp_data, instruction_pointer) + 4);
	unless_skip(code, BPF_JEQ, (uint32_t)(at >> 32), 1);
	give(code, SECCOMP_RET_ALLOW);
}

static void write_filter(struct code *code, const struct fork_way *way)
{
	code->length = 0;
	load(code, offsetof(struct seccomp_data, arch));
	code->at[code->length++] = (struct sock_filter)BPF_JUMP(
		BPF_JMP | BPF_JEQ | BPF_K, ARCHITECTURE, 1, 0);
	give(code, SECCOMP_RET_KILL_PROCESS);
	allow_numbers(code);
	allow_by_argument(code);
	allow_by_arguments(code, way);
	allow_gate(code);
	give(code, SECCOMP_RET_TRAP);
}

/*
 * If everything readable is also executable (personality(2)), the gate would not hold.
 */
static int forbid_implied_execution(void)
{
	int now = personality(0xffffffff);

	/*
	 * systemd's LockPersonality= refuses the query, but accepts a personality that
	 * is set already.
	 */
	if (now < 0)
		now = personality(PER_LINUX);
	if (now < 0 || (now & READ_IMPLIES_EXEC) == 0)
		return now < 0 ? -errno : 0;
	return personality((unsigned long)now & ~(unsigned long)READ_IMPLIES_EXEC) < 0
		       ? -errno
		       : 0;
}

static int set_filter(const struct fork_way *way)
{
	struct code code;
	struct sock_fprog filter = { .filter = code.at };

	write_filter(&code, way);
	filter.len = code.length;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return (int)GATE(seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter);
}

/*
 * landlock(7): forbids everything that this kernel's version knows, since no rule
 * allows anything. Defined here, since the system's header may be older than its
 * kernel.
 */
static int open_ruleset(void)
{
	struct {
		uint64_t filesystem, network, scoped;
	} handled = { .filesystem = (1 << 13) - 1 };
	long version = GATE(landlock_create_ruleset, NULL, 0, 1);

	if (version < 1)
		return -1;
	if (version >= 2)
		handled.filesystem |= 1 << 13; /* REFER */
	if (version >= 3)
		handled.filesystem |= 1 << 14; /* TRUNCATE */
	if (version >= 4)
		handled.network = 3; /* BIND_TCP, CONNECT_TCP */
	if (version >= 5)
		handled.filesystem |= 1 << 15; /* IOCTL_DEV */
	if (version >= 6)
		handled.scoped = 3; /* abstract UNIX sockets, signals */
	return (int)GATE(landlock_create_ruleset, &handled, sizeof(handled), 0);
}

/* A second filter would only cost time. */
static bool is_set;

/* How workers are made now, and how they were to be made when the filter was set. */
static struct fork_way way, way_of_filter;

bool sandbox_is_set(void)
{
	return is_set;
}

/*
 * Functions of pthread_atfork(3) in the child, and libc if the filter does not know its
 * list, may make calls that are trapped. They need the gate.
 */
static bool choose_way(void)
{
	fork_choose(&way);
	if (!is_set)
		way_of_filter = way;
	way.is_short = way.is_short && way.robust == way_of_filter.robust;
	return !way.is_short;
}

/*
 * Whether children begin with the gate; each must then unmap it, which costs four
 * microseconds of a fork. Returns whether they do.
 */
static bool lend_gate(bool lent)
{
	struct gate gate = gate_place();

	return madvise(gate.page, gate.size, lent ? MADV_DOFORK : MADV_DONTFORK) < 0 ||
	       lent;
}

int sandbox_install(struct sandbox *sandbox)
{
	bool fork_needs_gate;
	int err;

	sandbox->ruleset = -1;
	if (!sandbox->on)
		return 0;
	fork_needs_gate = choose_way();
	if (sandbox->landlock)
		sandbox->ruleset = open_ruleset();
	sandbox->landlock = sandbox->ruleset >= 0;
	err = forbid_implied_execution();
	if (err == 0 && !is_set) {
		err = trap_install();
		if (err == 0)
			err = set_filter(&way);
		is_set = err == 0;
	}
	if (err == 0)
		sandbox->lends_gate = lend_gate(sandbox->lends_gate || fork_needs_gate);
	return err;
}

void sandbox_close(struct sandbox *sandbox)
{
	if (!sandbox->on)
		return;
	lend_gate(true);
	if (sandbox->ruleset >= 0)
		close(sandbox->ruleset);
	sandbox->ruleset = -1;
}

static int confine_failed(struct privileges_failure *failure, enum privileges_step step,
			  int err)
{
	failure->step = step;
	failure->error = -err;
	return -1;
}

int sandbox_confine(const struct sandbox *sandbox, struct score_row *row,
		    struct privileges_failure *failure)
{
	if (!sandbox->on)
		return 0;
	trap_confine(row);
	if (sandbox->ruleset >= 0) {
		int err = (int)CALL(landlock_restrict_self, sandbox->ruleset, 0);

		if (err < 0)
			return confine_failed(failure, PRIVILEGES_LANDLOCK, err);
	}
	if (sandbox->lends_gate) {
		struct gate gate = gate_place();

		if (munmap(gate.page, gate.size) < 0)
			return confine_failed(failure, PRIVILEGES_GATE, -errno);
	}
	return 0;
}

void sandbox_place(struct score_row **place)
{
	trap_place(place);
}

pid_t sandbox_fork(const struct sandbox *sandbox)
{
	static const struct fork_way whole;

	return fork_by(sandbox->on ? &way : &whole);
}

#else

bool sandbox_is_set(void)
{
	return false;
}

int sandbox_install(struct sandbox *sandbox)
{
	sandbox->ruleset = -1;
	return sandbox->on ? -ENOTSUP : 0;
}

void sandbox_close(struct sandbox *sandbox)
{
	(void)sandbox;
}

int sandbox_confine(const struct sandbox *sandbox, struct score_row *row,
		    struct privileges_failure *failure)
{
	(void)sandbox, (void)row, (void)failure;
	return 0;
}

void sandbox_place(struct score_row **place)
{
	(void)place;
}

pid_t sandbox_fork(const struct sandbox *sandbox)
{
	static const struct fork_way whole;

	(void)sandbox;
	return fork_by(&whole);
}

#endif

const char *sandbox_name(const struct sandbox *sandbox)
{
	if (!sandbox->on)
		return "off";
	return sandbox->landlock ? "seccomp+landlock" : "seccomp";
}
