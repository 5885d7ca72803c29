/*
 * The process that reads stdin and sends. Owns that process and what it counts; never
 * prints. A signal ends it only where it waits, so that its count is exact; and it
 * does not outlive the process that started it.
 */
#ifndef PRONG_WRITER_H
#define PRONG_WRITER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

/* How it ended; its exit status, but for the first and the last. */
enum writer_end {
	WRITER_RUNS,
	WRITER_INPUT_ENDED = 10, /* all is sent, our half is closed if it is to be */
	WRITER_QUIT,             /* the same, after a line with q alone */
	WRITER_HURRIED,          /* by writer_hurry(); all that was read is sent */
	WRITER_STOPPED,          /* by a signal; all that was read is sent */
	WRITER_STOPPED_UNSENT,   /* by a signal, with bytes left */
	WRITER_INPUT_FAILED,
	WRITER_SEND_FAILED,
	WRITER_DIED, /* in any other way */
};

/* What the process does to the input, and at its end. */
struct writer_rules {
	bool crlf;          /* sends each line end as CR LF */
	bool no_quit;       /* a line with q alone is data on a terminal, too */
	bool no_half_close; /* the input's end does not close our half */
};

struct writer_shared; /* written by the process, read by us */

struct writer {
	pid_t pid;
	int pidfd; /* readable when it has ended; -1 once that has been collected */
	int hurry; /* an eventfd(2): set by writer_hurry() */
	enum writer_end end;
	int error; /* errno of ..._FAILED; the signal of STOPPED... and DIED, or 0 */
	struct writer_shared *shared;
};

/*
 * Starts the process. Both descriptors stay the caller's; interrupts is one of
 * interrupt_open(). SIGCHLD must not be ignored.
 * Returns 0, and the caller ends it with writer_stop() and writer_release(); or a
 * negative errno of mmap(2), eventfd(2), fork(2) or pidfd_open(2), and nothing is left.
 */
int writer_start(struct writer *writer, int sock, int interrupts,
		 const struct writer_rules *rules);

/*
 * Tells the process to wait for no further input: it sends what is there, of a terminal
 * nothing, and ends.
 */
void writer_hurry(struct writer *writer);

/* Collects the process; waits for its end if need be. Sets end and error. */
void writer_collect(struct writer *writer);

/* Ends the process, whatever it is doing, and collects it, if it still runs. */
void writer_stop(struct writer *writer);

/* Bytes that the socket has taken so far. */
uint64_t writer_sent_bytes(const struct writer *writer);

/* When it took the last of them (clock_now_us()); before the first: the start. */
int64_t writer_moved_us(const struct writer *writer);

/* Frees what the struct owns. The process must have been collected. */
void writer_release(struct writer *writer);

#endif
