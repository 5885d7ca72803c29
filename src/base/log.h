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
	enum log_severity most; /* the least severe level that is written */
	log_function *function; /* receives the lines; NULL: they go to fd */
	void *arg;
	struct outlet outlet; /* unused if there is no descriptor, or function is set */

	char *buffer; /* LOG_BUFFER_SIZE bytes; finished lines begin at start */
	size_t start, used;
	uint64_t dropped;    /* lines dropped since that was last logged */
	bool full;           /* the last write did not take all bytes */
	int64_t retry_at_us; /* after an error such as ENOSPC; CLOCK_NEVER: none */

	char line[LOG_LINE_MAX];
	size_t length;
};

/*
 * Prepares a log on fd, or on function if that is not NULL, or no log (fd -1). fd stays
 * the caller's, and its flags are unchanged. Returns 0 or -ENOMEM.
 */
int log_open(struct log *log, int fd, log_function *function, void *arg);

/*
 * Begins a line; returns false if such a line is not wanted (then skip the other
 * calls).
 */
bool log_begin(struct log *log, enum log_severity severity, const char *event);

/* Each adds key=value. Values are escaped; the result stays one line of ASCII. */
void log_text(struct log *log, const char *key, const char *value);

/*
 * The same for arbitrary bytes. Adds as many as fit while room bytes of the line stay
 * free for what follows. Returns how many it added.
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
 * What log_flush() waits for: the descriptor that must become writable, or -1 if none;
 * then retry_at_us may hold a time.
 */
int log_waits_for(const struct log *log);

/* Writes the rest, waiting up to a second for a slow reader, and frees the buffer. */
void log_close(struct log *log);

#endif
