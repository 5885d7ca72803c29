/*
 * Structured log lines that never block. Owns the line under construction and a
 * bounded buffer of finished ones; what does not fit there is counted and
 * dropped, whole lines only. Uses no descriptor after log_close().
 *
 *	if (log_begin(log, LOG_INFO, "close")) {
 *		log_number(log, "conn", 7);
 *		log_text(log, "reason", "eof");
 *		log_end(log);
 *	}
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "address.h"
#include "outlet.h"

#define LOG_LINE_MAX    1024
#define LOG_BUFFER_SIZE 65536

enum log_severity { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_CONNECTION, LOG_DEBUG };
enum log_format { LOG_FORMAT_LOGFMT, LOG_FORMAT_JSON };

typedef void log_function(void *arg, const char *line, size_t length);

struct log {
	enum log_format format;
	enum log_severity most; /* the least severe that is written */
	log_function *function; /* lines go here; NULL: to fd */
	void *arg;
	struct outlet outlet; /* of no descriptor: no log, or the function */

	char *buffer; /* LOG_BUFFER_SIZE bytes; finished lines from start on */
	size_t start, used;
	uint64_t dropped;    /* lines since the last report of it */
	bool full;           /* the last write did not take everything */
	int64_t retry_at_us; /* after an error, e.g. ENOSPC; CLOCK_NEVER: none */

	char line[LOG_LINE_MAX];
	size_t length;
};

/*
 * Prepares a log on fd, or on function if that is not NULL, or none (fd -1). fd stays
 * the caller's, and as it is. Returns 0 or -ENOMEM.
 */
int log_open(struct log *log, int fd, log_function *function, void *arg);

/* Starts a line; false when such a line is not wanted (leave the rest out then). */
bool log_begin(struct log *log, enum log_severity severity, const char *event);

/* Each adds key=value. Values are escaped; the line stays one line, of ASCII. */
void log_text(struct log *log, const char *key, const char *value);

/*
 * The same for bytes that may be anything: as many as leave room bytes of the line for what
 * follows. Returns how many those were.
 */
size_t log_bytes(struct log *log, const char *key, const char *bytes, size_t length,
		 size_t room);
void log_number(struct log *log, const char *key, int64_t value);
void log_address(struct log *log, const char *key, const struct address *address);

/* Finishes the line: into the buffer, or to the function. */
void log_end(struct log *log);

/* Writes what can be written without waiting. */
void log_flush(struct log *log);

/*
 * What to wait for so that log_flush() can go on: the descriptor that must become
 * writable, or -1 if none (then retry_at_us may tell a time).
 */
int log_waits_for(const struct log *log);

/* Writes the rest, waiting up to a second for a slow reader; frees the buffer. */
void log_close(struct log *log);

#endif
