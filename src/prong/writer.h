/*
 * The process that reads stdin and sends. Owns that process and its count; never
 * prints. A signal ends it only where it waits, so that its count is exact. It does not
 * outlive the process that started it.
 */
#ifndef PRONG_WRITER_H
#define PRONG_WRITER_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

/* How it ended; all but the first and the last are also its exit status. */
enum writer_end {
	WRITER_RUNS,
	WRITER_INPUT_ENDED = 10, /* all is sent; our half is closed as the rules say */
	WRITER_QUIT,             /* the same, after a line with q alone */
	WRITER_HURRIED,          /* by writer_hurry(); everything read is sent */
	WRITER_STOPPED,          /* by a signal; everything read is sent */
	WRITER_STOPPED_UNSENT,   /* by a signal, with bytes unsent */
	WRITER_INPUT_FAILED,
	WRITER_SEND_FAILED,
	WRITER_DIED, /* in any other way */
};

/* What the process does to the input and at its end. */
struct writer_rules {
	bool crlf;          /* sends each line end as CR LF */
	bool no_quit;       /* a line with q alone is data on a terminal, too */
	bool no_half_close; /* the end of the input does not close our half */
};

struct writer_shared; /* written by the process, read by us */

struct writer {
	pid_t pid;
	int pidfd; /* readable when the process has ended; -1: reaped */
	int hurry; /* an eventfd(2), set by writer_hurry() */
	enum writer_end end;
	int error; /* errno of ..._FAILED; the signal of STOPPED... and DIED, or 0 */
	struct writer_shared *shared;
};

/*
 * Starts the process. Both descriptors stay the caller's; interrupts comes from
 * interrupt_open(). SIGCHLD must not be ignored. Returns 0, and the caller ends it with
 * writer_stop() and writer_release(); or a negative errno of mmap(2), eventfd(2),
 * fork(2) or pidfd_open(2), with nothing left.
 */
int writer_start(struct writer *writer, int sock, int interrupts,
		 const struct writer_rules *rules);

/*
 * Tells the process to wait for no more input: it sends what is available (from a
 * terminal, nothing) and ends.
 */
void writer_hurry(struct writer *writer);

/* Reaps the process, and waits for its end if necessary. Sets end and error. */
void writer_collect(struct writer *writer);

/* Ends the process, whatever it is doing, and reaps it, if it still runs. */
void writer_stop(struct writer *writer);

/* Bytes that the socket has taken so far. */
uint64_t writer_sent_bytes(const struct writer *writer);

/*
 * When the socket took the last of them (clock_now_us()); before the first: the start.
 */
int64_t writer_moved_us(const struct writer *writer);

/* Frees what the struct owns. The process must have been reaped. */
void writer_release(struct writer *writer);

#endif
