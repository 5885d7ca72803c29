#include "writer.h"

#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "common/interrupt.h"
#include "line_end.h"
#include "quit_line.h"

#define BUFFER_SIZE 131072
#define STOP_MS     1000 /* from SIGTERM to SIGKILL */

struct writer_shared {
	_Atomic uint64_t sent_bytes;
	_Atomic int64_t moved_us;
	_Atomic int error;
};

/* The state of the writing process. */
struct outgoing {
	int sock;
	int interrupts;
	int hurry;
	struct writer_shared *shared;
	struct writer_rules rules;
	bool terminal;
	struct quit_line line;
	struct line_end line_end;
	size_t held; /* 1: buffer[0] is a q, and the next byte decides */
	char buffer[BUFFER_SIZE];
	char converted[2 * BUFFER_SIZE]; /* of --crlf */
};

static _Noreturn void leave(struct outgoing *out, enum writer_end end, int error)
{
	atomic_store(&out->shared->error, error);
	_exit((int)end);
}

/*
 * The only place where it blocks; stopped is how to end if a signal comes. Returns
 * false if hurry, a descriptor or -1, is ready and fd is not.
 */
static bool wait_for(struct outgoing *out, int fd, short events, int hurry,
		     enum writer_end stopped)
{
	struct pollfd ready[] = {
		{ .fd = out->interrupts, .events = POLLIN },
		{ .fd = fd, .events = events },
		{ .fd = hurry, .events = POLLIN },
	};

	for (;;) {
		if (poll(ready, 3, -1) < 0)
			continue;
		if (ready[0].revents != 0)
			leave(out, stopped, interrupt_take(out->interrupts));
		if (ready[1].revents != 0)
			return true;
		if (ready[2].revents != 0)
			return false;
	}
}

static void send_all(struct outgoing *out, const char *data, size_t left)
{
	while (left > 0) {
		ssize_t n = send(out->sock, data, left, MSG_NOSIGNAL);

		if (n >= 0) {
			atomic_fetch_add(&out->shared->sent_bytes, (uint64_t)n);
			atomic_store(&out->shared->moved_us, clock_now_us());
			data += n;
			left -= (size_t)n;
		} else if (errno == EAGAIN) {
			wait_for(out, out->sock, POLLOUT, -1, WRITER_STOPPED_UNSENT);
		} else if (errno != EINTR) {
			leave(out, WRITER_SEND_FAILED, errno);
		}
	}
}

/* Sends the next bytes of the input, converted if the rules say so. */
static void send_input(struct outgoing *out, const char *data, size_t n)
{
	if (!out->rules.crlf) {
		send_all(out, data, n);
		return;
	}
	n = line_end_convert(&out->line_end, out->converted, data, n);
	send_all(out, out->converted, n);
}

/* If a reset makes shutdown(2) fail, the reading process will find it. */
static _Noreturn void finish_sending(struct outgoing *out, enum writer_end end)
{
	if (!out->rules.no_half_close)
		shutdown(out->sock, SHUT_WR);
	leave(out, end, 0);
}

static bool is_set(int eventfd)
{
	struct pollfd ready = { .fd = eventfd, .events = POLLIN };

	return poll(&ready, 1, 0) > 0;
}

/* A line that is typed after the server is gone belongs to the shell. */
static bool leaves_the_rest(const struct outgoing *out)
{
	return out->terminal && is_set(out->hurry);
}

static _Noreturn void hurry_off(struct outgoing *out)
{
	send_input(out, out->buffer, out->held);
	leave(out, WRITER_HURRIED, 0);
}

/* Waits for input, and appends it to what is held. Returns how much; 0 at its end. */
static size_t take_input(struct outgoing *out)
{
	enum writer_end stopped =
		out->held > 0 ? WRITER_STOPPED_UNSENT : WRITER_STOPPED;

	for (;;) {
		ssize_t n;

		if (!wait_for(out, STDIN_FILENO, POLLIN, out->hurry, stopped) ||
		    leaves_the_rest(out))
			hurry_off(out);
		n = read(STDIN_FILENO, out->buffer + out->held,
			 sizeof(out->buffer) - out->held);
		if (n >= 0)
			return (size_t)n;
		if (errno != EAGAIN && errno != EINTR)
			leave(out, WRITER_INPUT_FAILED, errno);
	}
}

/* Sends n new bytes, except a line that ends the input or may become one. */
static void send_lines(struct outgoing *out, size_t n)
{
	size_t newline = quit_line_find(&out->line, out->buffer + out->held, n);
	size_t length = out->held + n;

	if (newline < n) {
		send_input(out, out->buffer, out->held + newline - 1);
		finish_sending(out, WRITER_QUIT);
	}
	out->held = out->line.state == LINE_Q;
	send_input(out, out->buffer, length - out->held);
	out->buffer[0] = out->buffer[length - 1];
}

/* The writing process's whole life. */
static _Noreturn void write_routine(struct outgoing *out)
{
	size_t n;

	out->terminal = isatty(STDIN_FILENO) != 0;
	while ((n = take_input(out)) > 0) {
		if (out->terminal && !out->rules.no_quit)
			send_lines(out, n);
		else
			send_input(out, out->buffer, n);
	}
	send_input(out, out->buffer, out->held);
	finish_sending(out, WRITER_INPUT_ENDED);
}

/* SIGKILL, because no process is left that needs the count. */
static void die_with(pid_t reader)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != reader)
		_exit(WRITER_DIED);
}

static _Noreturn void become_writer(const struct writer *writer, int sock,
				    int interrupts, const struct writer_rules *rules,
				    pid_t reader)
{
	static struct outgoing out;

	die_with(reader);
	close(STDOUT_FILENO);
	out.sock = sock;
	out.interrupts = interrupts;
	out.rules = *rules;
	out.hurry = writer->hurry;
	out.shared = writer->shared;
	write_routine(&out);
}

/*
 * Returns 0 or a negative errno; in either case writer_release() frees what there is.
 */
static int open_shared(struct writer *writer)
{
	writer->shared = memory_shared(sizeof(*writer->shared));
	if (writer->shared == NULL)
		return -errno;
	atomic_store(&writer->shared->moved_us, clock_now_us());
	writer->hurry = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	return writer->hurry < 0 ? -errno : 0;
}

int writer_start(struct writer *writer, int sock, int interrupts,
		 const struct writer_rules *rules)
{
	pid_t reader = getpid();
	int err;

	*writer = (struct writer){ .pidfd = -1, .hurry = -1 };
	err = open_shared(writer);
	if (err < 0)
		goto fail;
	writer->pid = fork();
	if (writer->pid == 0)
		become_writer(writer, sock, interrupts, rules, reader);
	if (writer->pid > 0)
		writer->pidfd = (int)syscall(SYS_pidfd_open, writer->pid, 0);
	if (writer->pidfd >= 0)
		return 0;
	err = -errno;
	if (writer->pid > 0) {
		kill(writer->pid, SIGKILL);
		waitpid(writer->pid, NULL, 0);
	}

fail:
	writer_release(writer);
	return err;
}

void writer_hurry(struct writer *writer)
{
	if (writer->pidfd < 0)
		return;
	eventfd_write(writer->hurry, 1);
	kill(writer->pid, SIGCONT); /* it may have been stopped */
}

void writer_collect(struct writer *writer)
{
	siginfo_t info = { .si_code = 0 };

	while (waitid(P_PID, (id_t)writer->pid, &info, WEXITED) < 0 && errno == EINTR)
		;
	close(writer->pidfd);
	writer->pidfd = -1;
	if (info.si_code == CLD_EXITED && info.si_status >= WRITER_INPUT_ENDED &&
	    info.si_status < WRITER_DIED) {
		writer->end = (enum writer_end)info.si_status;
		writer->error = atomic_load(&writer->shared->error);
	} else {
		writer->end = WRITER_DIED;
		writer->error = info.si_code == CLD_EXITED ? 0 : info.si_status;
	}
}

void writer_stop(struct writer *writer)
{
	struct pollfd ready = { .fd = writer->pidfd, .events = POLLIN };

	if (writer->pidfd < 0)
		return;
	kill(writer->pid, SIGTERM);
	kill(writer->pid, SIGCONT); /* it may have been stopped */
	if (poll(&ready, 1, STOP_MS) > 0) {
		writer_collect(writer);
		return;
	}
	/* Stuck in a read: another process took the input that poll(2) had reported. */
	kill(writer->pid, SIGKILL);
	writer_collect(writer);
	if (writer->end == WRITER_DIED && writer->error == SIGKILL)
		writer->end = WRITER_STOPPED;
}

uint64_t writer_sent_bytes(const struct writer *writer)
{
	return atomic_load(&writer->shared->sent_bytes);
}

int64_t writer_moved_us(const struct writer *writer)
{
	return atomic_load(&writer->shared->moved_us);
}

void writer_release(struct writer *writer)
{
	if (writer->shared != NULL)
		memory_release(writer->shared, sizeof(*writer->shared));
	writer->shared = NULL;
	if (writer->hurry >= 0)
		close(writer->hurry);
	writer->hurry = -1;
}
