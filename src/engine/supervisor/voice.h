/*
 * What programs write to their standard error. Each program has a pipe that the
 * supervisor reads, so programs never have the log's own descriptor. A line becomes a
 * line of the log, with the connection and the process (report.h). Lines over
 * VOICE_LINE_MAX bytes are cut; lines over VOICES_RATE for all programs, or VOICE_RATE
 * for one, are dropped and counted. A program that writes faster than it is read waits
 * in write(2), as with any slow reader: after each read its pipe is left alone for a
 * moment, so that no program takes all of the supervisor's time.
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
	uint64_t conn; /* 0: no connection yet */
	pid_t pid;
	int64_t full_at_ns;            /* rate.h */
	uint64_t dropped;              /* lines since the last one that was logged */
	int64_t resume_us;             /* while not watched: when to read again */
	struct voice *next, *previous; /* among those not watched, or free */
	struct watch watch;
	size_t length, cut; /* bytes of the line so far: those in text, and those cut */
	char text[VOICE_LINE_MAX];
};

struct voices {
	struct loop *loop;
	struct report *report;
	struct voice *at; /* NULL: nothing is heard */
	unsigned max, touched;
	struct voice *free;
	struct voice *first, *last; /* not watched, in the order of resume_us */
	int64_t resume_us;          /* not before this time: reads take time */
	int64_t full_at_ns;
	uint64_t dropped; /* lines of programs that have ended */
	bool draining;
	char *buffer; /* buffer for reading; no child has it */
};

/* Whether these options ask for lines of programs in the log. */
bool voices_are_heard(const struct prong_options *options);

/* Makes a table for max programs at once. Returns 0 or -ENOMEM. */
int voices_open(struct voices *voices, struct loop *loop, struct report *report,
		unsigned max);
void voices_close(struct voices *voices);

/*
 * Before a program starts: *end receives the descriptor for its standard error, which
 * the caller closes. Returns NULL with errno set if no pipe can be made.
 */
struct voice *voice_open(struct voices *voices, int *end, int64_t now_us);

/*
 * Its process has ended: reads what is there, up to a limit. Returns whether other
 * processes may still write to it.
 */
bool voice_drain(struct voices *voices, struct voice *voice, int64_t now_us);

/* Logs the rest, and what was dropped; reads no more. NULL is allowed. */
void voice_end(struct voices *voices, struct voice *voice, int64_t now_us);

/* Goes on reading what is due, and sets when that is next; CLOCK_NEVER. */
void voices_tick(struct voices *voices, int64_t now_us);
int64_t voices_deadline(const struct voices *voices);

/* The server stops: from now on dropped lines are reported at each program's end. */
void voices_drain(struct voices *voices, int64_t now_us);

#endif
