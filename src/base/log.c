#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "clock.h"
#include "memory.h"

#define RETRY_AFTER_US 1000000 /* after a failed write */
#define CLOSE_WAIT_US  1000000 /* for a slow reader at the end */
#define LINE_END_ROOM  2       /* "}\n" */

static const char *const severity_names[] = {
	[LOG_ERROR] = "error",     [LOG_WARNING] = "warning", [LOG_INFO] = "info",
	[LOG_CONNECTION] = "info", [LOG_DEBUG] = "debug",
};

int log_open(struct log *log, int fd, log_function *function, void *arg)
{
	*log = (struct log){
		.most = LOG_INFO,
		.function = function,
		.arg = arg,
		.retry_at_us = CLOCK_NEVER,
	};
	outlet_open(&log->outlet, -1);
	if (fd < 0 || function != NULL)
		return 0;
	log->buffer = memory_private(LOG_BUFFER_SIZE);
	if (log->buffer == NULL)
		return -ENOMEM;
	outlet_open(&log->outlet, fd);
	return 0;
}

/*
 * Appends to the line; what does not fit is cut, and room for the end of the line stays
 * free.
 */
static void add(struct log *log, const char *text, size_t length)
{
	size_t room = sizeof(log->line) - LINE_END_ROOM - 1 - log->length;

	if (length > room)
		length = room;
	memcpy(log->line + log->length, text, length);
	log->length += length;
}

static void add_string(struct log *log, const char *text)
{
	add(log, text, strlen(text));
}

/* An escape cut in half, or a missing closing quote, would break the line. */
#define ESCAPE_ROOM 8

/* Adds bytes while more than room bytes stay free. Returns how many it has added. */
static size_t add_escaped(struct log *log, const char *bytes, size_t length,
			  size_t room)
{
	size_t most = sizeof(log->line) - LINE_END_ROOM - ESCAPE_ROOM - room;
	bool json = log->format == LOG_FORMAT_JSON;
	char escape[8];

	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)bytes[i];

		if (c == '"' || c == '\\')
			snprintf(escape, sizeof(escape), "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			snprintf(escape, sizeof(escape), json ? "\\u%04x" : "\\x%02x",
				 c);
		else
			snprintf(escape, sizeof(escape), "%c", c);
		if (log->length + strlen(escape) >= most)
			return i;
		add_string(log, escape);
	}
	return length;
}

static bool needs_quotes(const char *bytes, size_t length)
{
	if (length == 0)
		return true;
	for (const char *p = bytes; p < bytes + length; p++)
		if (*p <= ' ' || *p > '~' || *p == '"' || *p == '=' || *p == '\\')
			return true;
	return false;
}

static void add_key(struct log *log, const char *key)
{
	if (log->format == LOG_FORMAT_JSON) {
		add_string(log, log->length == 0 ? "{\"" : ",\"");
		add_string(log, key);
		add_string(log, "\":");
	} else {
		if (log->length > 0)
			add_string(log, " ");
		add_string(log, key);
		add_string(log, "=");
	}
}

/* Whether there is room for ,"key": and for the value's quotes. */
static bool has_room(const struct log *log, const char *key, const char *value)
{
	return log->length + strlen(key) + strlen(value) + 8 <
	       sizeof(log->line) - LINE_END_ROOM;
}

size_t log_bytes(struct log *log, const char *key, const char *bytes, size_t length,
		 size_t room)
{
	bool quoted = log->format == LOG_FORMAT_JSON || needs_quotes(bytes, length);
	size_t added;

	if (!has_room(log, key, ""))
		return 0;
	add_key(log, key);
	if (quoted)
		add_string(log, "\"");
	added = add_escaped(log, bytes, length, room);
	if (quoted)
		add_string(log, "\"");
	return added;
}

void log_text(struct log *log, const char *key, const char *value)
{
	log_bytes(log, key, value, strlen(value), 0);
}

void log_number(struct log *log, const char *key, int64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRId64, value);
	if (!has_room(log, key, text))
		return;
	add_key(log, key);
	add_string(log, text);
}

void log_address(struct log *log, const char *key, const struct address *address)
{
	char text[ADDRESS_TEXT_MAX];

	address_format(address, text, sizeof(text));
	log_text(log, key, text);
}

/* RFC 3339, UTC, milliseconds. */
static void add_time(struct log *log)
{
	struct timespec now;
	struct tm parts;
	char text[40];
	size_t length;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	length = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + length, sizeof(text) - length, ".%03ldZ",
		 now.tv_nsec / 1000000);
	log_text(log, "time", text);
}

bool log_begin(struct log *log, enum log_severity severity, const char *event)
{
	if (severity > log->most || (log->outlet.fd < 0 && log->function == NULL))
		return false;
	log->length = 0;
	add_time(log);
	log_text(log, "level", severity_names[severity]);
	log_text(log, "event", event);
	return true;
}

static void write_buffer(struct log *log)
{
	log->full = false;
	while (log->used > 0) {
		ssize_t n =
			outlet_write(&log->outlet, log->buffer + log->start, log->used);

		if (n <= 0) {
			log->full = true;
			/*
			 * For example a full disk: what is buffered is written later
			 * with the rest.
			 */
			if (n != -EAGAIN)
				log->retry_at_us = clock_now_us() + RETRY_AFTER_US;
			return;
		}
		log->start += (size_t)n;
		log->used -= (size_t)n;
	}
	log->start = 0;
}

/* False until a failed write may be tried again. */
static bool may_write(struct log *log)
{
	if (log->retry_at_us != CLOCK_NEVER && clock_now_us() < log->retry_at_us)
		return false;
	log->retry_at_us = CLOCK_NEVER;
	return true;
}

/* Puts the finished line after the others; false if there is no room. */
static bool store(struct log *log)
{
	if (log->used + log->length > LOG_BUFFER_SIZE && may_write(log))
		write_buffer(log);
	if (log->used + log->length > LOG_BUFFER_SIZE)
		return false;
	if (log->start + log->used + log->length > LOG_BUFFER_SIZE) {
		memmove(log->buffer, log->buffer + log->start, log->used);
		log->start = 0;
	}
	memcpy(log->buffer + log->start + log->used, log->line, log->length);
	log->used += log->length;
	return true;
}

void log_end(struct log *log)
{
	if (log->format == LOG_FORMAT_JSON)
		log->line[log->length++] = '}';
	log->line[log->length] = '\0';
	if (log->function != NULL) {
		log->function(log->arg, log->line, log->length);
		return;
	}
	log->line[log->length++] = '\n';
	if (!store(log))
		log->dropped++;
}

/* Logs how many lines were dropped, as soon as there is room for that. */
static void report_dropped(struct log *log)
{
	uint64_t lines = log->dropped;

	if (lines == 0 || log->used + LOG_LINE_MAX > LOG_BUFFER_SIZE)
		return;
	log->dropped = 0;
	if (log_begin(log, LOG_ERROR, "log-dropped")) {
		log_number(log, "lines", (int64_t)lines);
		log_end(log);
	}
}

void log_flush(struct log *log)
{
	if (log->used == 0 && log->dropped == 0)
		return;
	if (!may_write(log))
		return;
	write_buffer(log);
	if (log->dropped > 0 && !log->full) {
		report_dropped(log);
		write_buffer(log);
	}
}

int log_waits_for(const struct log *log)
{
	return log->full && log->retry_at_us == CLOCK_NEVER ? log->outlet.fd : -1;
}

void log_close(struct log *log)
{
	int64_t until_us = clock_now_us() + CLOSE_WAIT_US;

	if (log->buffer == NULL)
		return;
	/* If a write failed a moment ago, it is tried one last time. */
	log->retry_at_us = CLOCK_NEVER;
	log_flush(log);
	while (log_waits_for(log) >= 0 && clock_now_us() < until_us) {
		outlet_wait(&log->outlet, until_us);
		log_flush(log);
	}
	outlet_close(&log->outlet);
	memory_release(log->buffer, LOG_BUFFER_SIZE);
	log->buffer = NULL;
}
