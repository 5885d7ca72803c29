#include "base/log.h"

#include <sys/socket.h>

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "kept.h"

#define LONG_MAX_TEXT 4000

/* One line with key "k" and that value, without its time. */
static const char *line_with(enum log_format format, const char *value)
{
	static struct kept kept;
	struct log log;

	kept.length = 0;
	assert_int_equal(log_open(&log, -1, keep, &kept), 0);
	log.format = format;
	assert_true(log_begin(&log, LOG_INFO, "event"));
	log_text(&log, "k", value);
	log_end(&log);
	log_close(&log);
	kept.text[kept.length - 1] = '\0';
	return strstr(kept.text, "event");
}

static void logfmt_quotes_and_escapes_what_needs_it(void **state)
{
	static const struct {
		const char *value, *written;
	} rows[] = {
		{ "eof", "event=event k=eof" },
		{ "127.0.0.1:80", "event=event k=127.0.0.1:80" },
		{ "", "event=event k=\"\"" },
		{ "a b", "event=event k=\"a b\"" },
		{ "a=b", "event=event k=\"a=b\"" },
		{ "a\"b", "event=event k=\"a\\\"b\"" },
		{ "a\\b", "event=event k=\"a\\\\b\"" },
		{ "a\nevent=fake", "event=event k=\"a\\x0aevent=fake\"" },
		{ "\x1b[2J", "event=event k=\"\\x1b[2J\"" },
		{ "\xc3\xa4\x7f", "event=event k=\"\\xc3\\xa4\\x7f\"" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(line_with(LOG_FORMAT_LOGFMT, rows[i].value),
				    rows[i].written);
}

static void json_escapes_what_needs_it(void **state)
{
	static const struct {
		const char *value, *written;
	} rows[] = {
		{ "eof", "event\":\"event\",\"k\":\"eof\"}" },
		{ "", "event\":\"event\",\"k\":\"\"}" },
		{ "a\"b\\", "event\":\"event\",\"k\":\"a\\\"b\\\\\"}" },
		{ "a\n\x1f\x7f",
		  "event\":\"event\",\"k\":\"a\\u000a\\u001f\\u007f\"}" },
		{ "\xff", "event\":\"event\",\"k\":\"\\u00ff\"}" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++)
		assert_string_equal(line_with(LOG_FORMAT_JSON, rows[i].value),
				    rows[i].written);
}

static void a_line_begins_with_time_level_and_event(void **state)
{
	static const char form[] = "time=dddd-dd-ddTdd:dd:dd.dddZ level=info event=x "
				   "n=-9223372036854775808\n";
	struct kept kept = { .length = 0 };
	struct log log;

	(void)state;
	assert_int_equal(log_open(&log, -1, keep, &kept), 0);
	assert_true(log_begin(&log, LOG_INFO, "x"));
	log_number(&log, "n", INT64_MIN);
	log_end(&log);
	log_close(&log);
	assert_int_equal(kept.length, strlen(form));
	for (size_t i = 0; i < kept.length && i < 29; i++)
		if (form[i] == 'd' && i > 4)
			assert_true(isdigit((unsigned char)kept.text[i]));
	assert_string_equal(kept.text + 29, form + 29);
}

static void lines_less_severe_than_asked_for_are_not_begun(void **state)
{
	struct kept kept = { .length = 0 };
	struct log log;

	(void)state;
	assert_int_equal(log_open(&log, -1, keep, &kept), 0);
	for (int most = LOG_ERROR; most <= LOG_DEBUG; most++)
		for (int severity = LOG_ERROR; severity <= LOG_DEBUG; severity++) {
			log.most = (enum log_severity)most;
			assert_int_equal(
				log_begin(&log, (enum log_severity)severity, "x"),
				severity <= most);
		}
	log_close(&log);
	assert_int_equal(log_open(&log, -1, NULL, NULL), 0);
	assert_false(log_begin(&log, LOG_ERROR, "x"));
	log_flush(&log);
	log_close(&log);
}

/* How many quotes in a line are not escaped. */
static int count_quotes(const char *line)
{
	int count = 0;

	for (; *line != '\0'; line++) {
		if (*line == '\\' && line[1] != '\0')
			line++;
		else if (*line == '"')
			count++;
	}
	return count;
}

static void a_value_too_long_is_cut_and_the_line_stays_well_formed(void **state)
{
	char value[LONG_MAX_TEXT + 1];

	(void)state;
	for (size_t length = 900; length < 1100; length++) {
		const char *line;

		memset(value, length % 2 ? '\n' : 'a', length);
		value[length] = '\0';
		line = line_with(LOG_FORMAT_JSON, value);
		assert_in_range(strlen(line), 900, LOG_LINE_MAX - 1);
		assert_int_equal(line[strlen(line) - 1], '}');
		assert_int_equal(line[strlen(line) - 2], '"');
		assert_int_equal(count_quotes(line) % 2, 1); /* "event was cut off */
		line = line_with(LOG_FORMAT_LOGFMT, length % 2 ? value : "a b");
		assert_int_equal(count_quotes(line), 2);
	}
}

/* A number that lost digits would be wrong, and a key without a value invalid JSON. */
static void what_follows_a_cut_value_is_whole_or_suppressed(void **state)
{
	char value[LONG_MAX_TEXT + 1];

	(void)state;
	for (size_t length = 900; length < 1100; length++) {
		struct kept kept = { .length = 0 };
		const char *number;
		struct log log;

		memset(value, 'a', length);
		value[length] = '\0';
		assert_int_equal(log_open(&log, -1, keep, &kept), 0);
		log.format = LOG_FORMAT_JSON;
		assert_true(log_begin(&log, LOG_INFO, "x"));
		log_text(&log, "k", value);
		log_number(&log, "number", 123456);
		log_end(&log);
		log_close(&log);
		number = strstr(kept.text, "\"number\":123456}\n");
		if (number == NULL)
			assert_non_null(strstr(kept.text, "aaa\"}\n"));
	}
}

struct channel {
	int reader, writer;
};

static struct channel open_pipe(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return (struct channel){ .reader = ends[0], .writer = ends[1] };
}

static void say(struct log *log, int number)
{
	assert_true(log_begin(log, LOG_INFO, "line"));
	log_number(log, "number", number);
	log_end(log);
}

/* Takes what is in the pipe, and appends it to text. */
static void drain(int reader, char *text, size_t size)
{
	size_t length = strlen(text);
	ssize_t n;

	while ((n = read(reader, text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
}

static void lines_are_written_when_flushed(void **state)
{
	struct channel channel = open_pipe();
	char text[4096] = "";
	struct log log;

	(void)state;
	assert_int_equal(log_open(&log, channel.writer, NULL, NULL), 0);
	say(&log, 1);
	say(&log, 2);
	log_flush(&log);
	assert_int_equal(log_waits_for(&log), -1);
	drain(channel.reader, text, sizeof(text));
	assert_non_null(strstr(text, "event=line number=1\n"));
	assert_non_null(strstr(text, "event=line number=2\n"));
	log_close(&log);
	close(channel.reader);
	close(channel.writer);
}

static void the_callers_descriptor_stays_blocking_and_open(void **state)
{
	struct channel channel = open_pipe();
	struct log log;

	(void)state;
	assert_int_equal(log_open(&log, channel.writer, NULL, NULL), 0);
	assert_false(fcntl(channel.writer, F_GETFL) & O_NONBLOCK);
	log_close(&log);
	assert_int_equal(write(channel.writer, "x", 1), 1);
	close(channel.reader);
	close(channel.writer);
}

/* Logs lines until some had to be dropped; returns how many were logged. */
static int fill(struct log *log)
{
	int said = 0;

	while (log->dropped < 10)
		say(log, ++said);
	return said;
}

/* Each line came once and whole, or was counted as dropped. */
static void check_account(const char *text, int said)
{
	int seen = 0, dropped = 0, last = 0, number;
	char rest[8];

	for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
		assert_non_null(strchr(line, '\n'));
		if (sscanf(line, "time=%*s level=info event=line number=%d%1[\n]",
			   &number, rest) == 2) {
			assert_true(number > last);
			last = number;
			seen++;
		} else {
			assert_int_equal(sscanf(line,
						"time=%*s level=error "
						"event=log-dropped lines=%d%1[\n]",
						&number, rest),
					 2);
			dropped += number;
		}
	}
	assert_int_equal(seen + dropped, said);
}

static void a_reader_that_stalls_costs_whole_lines_and_they_are_counted(void **state)
{
	static char text[1 << 20];
	struct channel channel = open_pipe();
	struct log log;
	int said;

	(void)state;
	text[0] = '\0';
	assert_int_equal(log_open(&log, channel.writer, NULL, NULL), 0);
	said = fill(&log);
	log_flush(&log);
	assert_true(log_waits_for(&log) >= 0);
	drain(channel.reader, text, sizeof(text));
	log_flush(&log);
	drain(channel.reader, text, sizeof(text));
	log_close(&log);
	drain(channel.reader, text, sizeof(text));
	assert_non_null(strstr(text, "event=log-dropped"));
	check_account(text, said);
	close(channel.reader);
	close(channel.writer);
}

/* The next line itself finds the room, before a flush. */
static void a_line_after_the_stall_is_not_lost(void **state)
{
	static char text[1 << 20];
	struct channel channel = open_pipe();
	struct log log;
	int said;

	(void)state;
	text[0] = '\0';
	assert_int_equal(log_open(&log, channel.writer, NULL, NULL), 0);
	said = fill(&log);
	drain(channel.reader, text, sizeof(text));
	say(&log, ++said);
	log_flush(&log);
	drain(channel.reader, text, sizeof(text));
	log_close(&log);
	drain(channel.reader, text, sizeof(text));
	check_account(text, said);
	close(channel.reader);
	close(channel.writer);
}

static void a_reader_that_left_costs_lines_and_no_signal(void **state)
{
	struct channel channel = open_pipe();
	int ends[2];
	struct log log;

	(void)state;
	/* For a pipe the supervisor blocks SIGPIPE; a socket needs no help. */
	assert_ptr_equal(signal(SIGPIPE, SIG_IGN), SIG_DFL);
	assert_int_equal(log_open(&log, channel.writer, NULL, NULL), 0);
	close(channel.reader);
	say(&log, 1);
	log_flush(&log);
	assert_int_equal(log_waits_for(&log), -1);
	assert_true(log.retry_at_us > 0);
	log_close(&log);
	close(channel.writer);
	signal(SIGPIPE, SIG_DFL);

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(log_open(&log, ends[1], NULL, NULL), 0);
	close(ends[0]);
	say(&log, 1);
	log_flush(&log);
	log_close(&log);
	close(ends[1]);
}

/* The stop comes before the pause after a failed write has ended. */
static void what_could_not_be_written_is_tried_again_at_the_close(void **state)
{
	struct channel channel = open_pipe();
	char text[4096] = "";
	char path[64];
	struct log log;

	(void)state;
	assert_ptr_equal(signal(SIGPIPE, SIG_IGN), SIG_DFL);
	assert_int_equal(log_open(&log, channel.writer, NULL, NULL), 0);
	close(channel.reader);
	say(&log, 1);
	log_flush(&log);
	say(&log, 2);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", channel.writer);
	channel.reader = open(path, O_RDONLY | O_NONBLOCK); /* it has a reader again */
	log_close(&log);
	drain(channel.reader, text, sizeof(text));
	check_account(text, 2);
	assert_null(strstr(text, "event=log-dropped"));
	close(channel.reader);
	close(channel.writer);
	signal(SIGPIPE, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(logfmt_quotes_and_escapes_what_needs_it),
		promise(json_escapes_what_needs_it),
		promise(a_line_begins_with_time_level_and_event),
		promise(lines_less_severe_than_asked_for_are_not_begun),
		promise(a_value_too_long_is_cut_and_the_line_stays_well_formed),
		promise(what_follows_a_cut_value_is_whole_or_suppressed),
		promise(lines_are_written_when_flushed),
		promise(the_callers_descriptor_stays_blocking_and_open),
		promise(a_reader_that_stalls_costs_whole_lines_and_they_are_counted),
		promise(a_line_after_the_stall_is_not_lost),
		promise(a_reader_that_left_costs_lines_and_no_signal),
		promise(what_could_not_be_written_is_tried_again_at_the_close),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
