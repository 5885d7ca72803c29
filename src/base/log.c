#include "log.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "memory.h"

#define RETRY_AFTER_US 1000000 /* after a failed write */
#define CLOSE_WAIT_US  1000000 /* for a slow reader at the end */
#define LINE_END_ROOM  2       /* "}\n" */

static const char *const severity_names[] = {
	[LOG_ERROR] = "error",     [LOG_WARNING] = "warning", [LOG_INFO] = "info",
	[LOG_CONNECTION] = "info", [LOG_DEBUG] = "debug",
};

/* Chooses how fd can be written to without waiting. */
static void choose_way(struct log *log, int fd)
{
	struct stat file;
	char path[32];

	log->fd = fd;
	if (fd < 0 || fstat(fd, &file) < 0)
		return;
	log->socket = S_ISSOCK(file.st_mode);
	if (!S_ISFIFO(file.st_mode) && !(S_ISCHR(file.st_mode) && isatty(fd)))
		return;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	log->owned = fd >= 0;
	log->polled = fd < 0; /* e.g. another user's pipe */
	if (log->owned)
		log->fd = fd;
}

int log_open(struct log *log, int fd, log_function *function, void *arg)
{
	*log = (struct log){
		.most = LOG_INFO,
		.function = function,
		.arg = arg,
		.fd = -1,
		.retry_at_us = CLOCK_NEVER,
	};
	if (fd < 0 || function != NULL)
		return 0;
	log->buffer = memory_private(LOG_BUFFER_SIZE);
	if (log->buffer == NULL)
		return -ENOMEM;
	choose_way(log, fd);
	return 0;
}

/* Appends to the line; what does not fit is cut, the end's room is kept. */
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

static void add_escaped(struct log *log, const char *value)
{
	bool json = log->format == LOG_FORMAT_JSON;
	char escape[8];

	for (const char *p = value; *p != '\0'; p++) {
		unsigned char c = (unsigned char)*p;

		if (c == '"' || c == '\\')
			snprintf(escape, sizeof(escape), "\\%c", c);
		else if (c < 0x20 || c > 0x7e)
			snprintf(escape, sizeof(escape), json ? "\\u%04x" : "\\x%02x",
				 c);
		else
			snprintf(escape, sizeof(escape), "%c", c);
		/* Half an escape, or no closing quote, would spoil the line. */
		if (log->length + strlen(escape) + 8 >=
		    sizeof(log->line) - LINE_END_ROOM)
			return;
		add_string(log, escape);
	}
}

static bool needs_quotes(const char *value)
{
	if (*value == '\0')
		return true;
	for (const char *p = value; *p != '\0'; p++)
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

/* For ,"key": and the value, between quotes maybe. */
static bool has_room(const struct log *log, const char *key, const char *value)
{
	return log->length + strlen(key) + strlen(value) + 8 <
	       sizeof(log->line) - LINE_END_ROOM;
}

void log_text(struct log *log, const char *key, const char *value)
{
	bool quoted = log->format == LOG_FORMAT_JSON || needs_quotes(value);

	if (!has_room(log, key, ""))
		return;
	add_key(log, key);
	if (quoted)
		add_string(log, "\"");
	add_escaped(log, value);
	if (quoted)
		add_string(log, "\"");
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
	if (severity > log->most || (log->fd < 0 && log->function == NULL))
		return false;
	log->length = 0;
	add_time(log);
	log_text(log, "level", severity_names[severity]);
	log_text(log, "event", event);
	return true;
}

static ssize_t write_some(const struct log *log, const char *text, size_t length)
{
	struct pollfd writable = { .fd = log->fd, .events = POLLOUT };

	if (log->socket)
		return send(log->fd, text, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (log->polled) {
		/* Writable means room for PIPE_BUF bytes at least (pipe(7)). */
		if (poll(&writable, 1, 0) <= 0) {
			errno = EAGAIN;
			return -1;
		}
		if (length > 4096)
			length = 4096;
	}
	return write(log->fd, text, length);
}

static void write_buffer(struct log *log)
{
	log->full = false;
	while (log->used > 0) {
		ssize_t n = write_some(log, log->buffer + log->start, log->used);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			log->full = true;
			/* A full disk, say: what is buffered waits with the rest. */
			if (n == 0 || errno != EAGAIN)
				log->retry_at_us = clock_now_us() + RETRY_AFTER_US;
			return;
		}
		log->start += (size_t)n;
		log->used -= (size_t)n;
	}
	log->start = 0;
}

/* Not while a failed write is to be retried later. */
static bool may_write(struct log *log)
{
	if (log->retry_at_us != CLOCK_NEVER && clock_now_us() < log->retry_at_us)
		return false;
	log->retry_at_us = CLOCK_NEVER;
	return true;
}

/* Puts the finished line behind the others; false if there is no room. */
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

/* Says how many lines are missing, as soon as there is room to say so. */
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
	return log->full && log->retry_at_us == CLOCK_NEVER ? log->fd : -1;
}

void log_close(struct log *log)
{
	int64_t until_us = clock_now_us() + CLOSE_WAIT_US;

	if (log->buffer == NULL)
		return;
	log_flush(log);
	while (log_waits_for(log) >= 0 && clock_now_us() < until_us) {
		struct pollfd writable = { .fd = log->fd, .events = POLLOUT };

		poll(&writable, 1, clock_timeout_ms(until_us, clock_now_us()));
		log_flush(log);
	}
	if (log->owned)
		close(log->fd);
	log->fd = -1;
	memory_release(log->buffer, LOG_BUFFER_SIZE);
	log->buffer = NULL;
}
