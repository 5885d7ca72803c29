/*
 * What programs write to their standard error: a pipe each, read by the supervisor, so that
 * the log's own descriptor is never theirs. A line becomes a line of the log, with the
 * connection and the process (report.h). Lines over VOICE_LINE_MAX bytes are cut, those
 * over VOICES_RATE for all programs, or VOICE_RATE for one, are dropped and counted. A
 * program that writes more than is read waits in its write(2), as for any slow reader:
 * after each read its pipe is left alone for a moment, so no program takes the
 * supervisor's time.
 */
#ifndef ENGINE_VOICE_H
#define ENGINE_VOICE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "prong.h"

#define VOICE_LINE_MAX 512 /* bytes of text */
#define VOICE_RATE     100 /* lines a second, and at once */
#define VOICES_RATE    1000

struct report;

struct voice {
	int fd; /* our end; -1: the program has closed its own */
	bool watched;
	uint64_t conn; /* 0: it has no connection yet */
	pid_t pid;
	int64_t full_at_ns;            /* rate.h */
	uint64_t dropped;              /* lines since the last that was logged */
	int64_t resume_us;             /* while it is not watched: when to read again */
	struct voice *next, *previous; /* of those not watched; next also of the free */
	struct watch watch;
	size_t length,
		cut; /* of the line so far: bytes in text, and more that were cut */
	char text[VOICE_LINE_MAX];
};

struct voices {
	struct loop *loop;
	struct report *report;
	struct voice *at; /* NULL: none is heard */
	unsigned max, touched;
	struct voice *free;
	struct voice *first, *last; /* not watched, in the order of resume_us */
	int64_t resume_us;          /* not before: reads cost time */
	int64_t full_at_ns;
	uint64_t dropped; /* of programs that have ended */
	bool draining;
	char *buffer; /* what is read lies here first; no child has it */
};

/* Whether lines of programs would come into the log. */
bool voices_are_heard(const struct prong_options *options);

/* Makes a table for max programs at once. Returns 0 or -ENOMEM. */
int voices_open(struct voices *voices, struct loop *loop, struct report *report,
		unsigned max);
void voices_close(struct voices *voices);

/*
 * A program is about to start: *end receives the descriptor to be its standard error, which
 * the caller closes. Returns NULL with errno set if there is no pipe to be had.
 */
struct voice *voice_open(struct voices *voices, int *end, int64_t now_us);

/*
 * Its process has ended: reads what is there, up to a bound. Returns whether other
 * processes may still write to it.
 */
bool voice_drain(struct voices *voices, struct voice *voice, int64_t now_us);

/* Logs the rest, and what was dropped; hears no more. NULL is allowed. */
void voice_end(struct voices *voices, struct voice *voice, int64_t now_us);

/* Reads on, and the time at which that is next to be done; CLOCK_NEVER. */
void voices_tick(struct voices *voices, int64_t now_us);
int64_t voices_deadline(const struct voices *voices);

/* The server stops: from now on what was dropped is logged at each program's end. */
void voices_drain(struct voices *voices, int64_t now_us);

#endif
