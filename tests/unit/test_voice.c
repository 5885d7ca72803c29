#include "engine/supervisor/voice.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "fake.h"

#define MS     INT64_C(1000)
#define SECOND (1000 * MS)
#define START  (1000 * SECOND)
#define MAX    40

static struct voices voices;

/* A program that has started, as far as its standard error is concerned. */
struct program_end {
	struct voice *voice;
	int fd;
};

static int open_voices(void **state)
{
	int err = fake_open(state);

	voices = (struct voices){ 0 };
	return err == 0 ? voices_open(&voices, &fake.loop, &fake.report, MAX) : err;
}

static int close_voices(void **state)
{
	voices_close(&voices);
	return fake_close(state);
}

#define heard(function) \
	cmocka_unit_test_setup_teardown(function, open_voices, close_voices)

static struct program_end start(uint64_t conn, pid_t pid)
{
	struct program_end end;

	end.voice = voice_open(&voices, &end.fd, START);
	assert_non_null(end.voice);
	end.voice->conn = conn;
	end.voice->pid = pid;
	return end;
}

static void say(const struct program_end *end, const char *text)
{
	assert_int_equal(write(end->fd, text, strlen(text)), strlen(text));
}

static void finish(struct program_end *end, int64_t now_us)
{
	close(end->fd);
	assert_false(voice_drain(&voices, end->voice, now_us));
	voice_end(&voices, end->voice, now_us);
}

static void expect(const char *line)
{
	if (strstr(fake.log.text, line) == NULL)
		fail_msg("\"%s\" is not in\n%s", line, fake.log.text);
}

static void a_line_of_a_program_is_a_line_of_the_log(void **state)
{
	struct program_end end = start(7, 1234);

	(void)state;
	say(&end, "one\ntwo words\n\nno end");
	voices_tick(&voices, START + SECOND);
	expect("event=said conn=7 pid=1234 text=one\n");
	expect("event=said conn=7 pid=1234 text=\"two words\"\n");
	expect("event=said conn=7 pid=1234 text=\"\"\n");
	assert_int_equal(kept_count(&fake.log, "event=said"), 3);
	finish(&end, START + SECOND);
	expect("text=\"no end\"\n");
	assert_int_equal(kept_count(&fake.log, "event=said"), 4);
}

static void a_spare_has_no_connection_yet(void **state)
{
	struct program_end end = start(0, 5);

	(void)state;
	say(&end, "loading\n");
	voices_tick(&voices, START + SECOND);
	expect("event=said pid=5 text=loading\n");
	end.voice->conn = 9;
	say(&end, "serving\n");
	finish(&end, START + SECOND);
	expect("event=said conn=9 pid=5 text=serving\n");
}

/* Each is one line of the log, and forges none. */
static void bytes_of_any_kind_stay_one_line(void **state)
{
	static const char evil[] = "\nevent=stop \r\t\"x\" \\ \x1b[2J\xff\0z=1 {}";
	struct program_end end = start(1, 2);

	(void)state;
	assert_int_equal(write(end.fd, evil + 1, sizeof(evil) - 2), sizeof(evil) - 2);
	finish(&end, START);
	expect("text=\"event=stop \\x0d\\x09\\\"x\\\" \\\\ "
	       "\\x1b[2J\\xff\\x00z=1 {}\"\n");
	assert_int_equal(kept_count(&fake.log, "level="), 1);
}

static void check_cut(size_t length, unsigned char byte, size_t cut)
{
	struct program_end end = start(1, 2);
	char *line = malloc(length + 1), field[40];

	memset(line, byte, length);
	line[length] = '\n';
	kept_forget(&fake.log);
	assert_int_equal(write(end.fd, line, length + 1), length + 1);
	finish(&end, START);
	free(line);
	assert_int_equal(kept_count(&fake.log, "event=said"), 1);
	snprintf(field, sizeof(field), " cut_bytes=%zu\n", cut);
	assert_int_equal(kept_count(&fake.log, "cut_bytes"), cut > 0);
	if (cut > 0)
		expect(field);
}

static void a_long_line_is_cut_and_says_by_how_much(void **state)
{
	(void)state;
	check_cut(VOICE_LINE_MAX, 'a', 0);
	check_cut(VOICE_LINE_MAX + 1, 'a', 1);
	check_cut(60000, 'a', 60000 - VOICE_LINE_MAX);
}

/*
 * Escapes take four or six times the room; what they displace is also counted as cut.
 */
static void a_cut_by_escapes_is_counted(void **state)
{
	size_t shown = 0;
	const char *text;
	unsigned long cut;

	(void)state;
	for (int format = LOG_FORMAT_LOGFMT; format <= LOG_FORMAT_JSON; format++) {
		const char *key =
			format == LOG_FORMAT_JSON ? "\"cut_bytes\":" : "cut_bytes=";
		struct program_end end = start(1, 2);
		char line[401];

		memset(line, 1, 400);
		line[400] = '\n';
		kept_forget(&fake.log);
		fake.report.log.format = (enum log_format)format;
		assert_int_equal(write(end.fd, line, sizeof(line)), sizeof(line));
		finish(&end, START);
		text = strstr(fake.log.text, key);
		assert_non_null(text);
		cut = strtoul(text + strlen(key), NULL, 10);
		shown = 0;
		for (text = fake.log.text; (text = strchr(text, '\\')) != NULL; text++)
			shown++;
		assert_int_equal(shown + cut, 400);
		assert_true(shown > 100);
	}
	fake.report.log.format = LOG_FORMAT_LOGFMT;
}

/* The numbers of all lines that were not logged. */
static unsigned long count_suppressed(void)
{
	unsigned long sum = 0;

	for (const char *at = fake.log.text; (at = strstr(at, " suppressed=")) != NULL;
	     at++)
		sum += strtoul(at + strlen(" suppressed="), NULL, 10);
	return sum;
}

/* The last line, which has no text, reports how many others there were. */
static unsigned count_texts(void)
{
	return kept_count(&fake.log, " text=");
}

static void many_lines_of_a_program_are_counted(void **state)
{
	struct program_end end = start(1, 2);

	(void)state;
	for (int i = 0; i < 1000; i++)
		say(&end, "again\n");
	finish(&end, START);
	assert_int_equal(count_texts(), VOICE_RATE);
	assert_int_equal(count_texts() + count_suppressed(), 1000);
}

static void the_rate_recovers_with_time(void **state)
{
	struct program_end end = start(1, 2);

	(void)state;
	for (int i = 0; i < 1000; i++)
		say(&end, "again\n");
	voices_tick(&voices, START + SECOND);
	say(&end, "later\n");
	voices_tick(&voices, START + 2 * SECOND);
	expect("text=later suppressed=900\n");
	finish(&end, START + 2 * SECOND);
	assert_int_equal(count_suppressed(), 900);
}

/* Their lines are more than fake.log holds. */
static void count_line(void *arg, const char *line, size_t length)
{
	unsigned long *counts = arg; /* lines with text, and those suppressed */
	const char *suppressed = strstr(line, " suppressed=");

	(void)length;
	counts[0] += strstr(line, " text=") != NULL;
	if (suppressed != NULL)
		counts[1] += strtoul(suppressed + strlen(" suppressed="), NULL, 10);
}

static void many_programs_share_a_rate_and_every_line_is_counted(void **state)
{
	struct program_end ends[20];
	unsigned long counts[2] = { 0 };

	(void)state;
	fake.report.log.function = count_line;
	fake.report.log.arg = counts;
	for (unsigned i = 0; i < COUNT(ends); i++) {
		ends[i] = start(i + 1, 2);
		for (int line = 0; line < 90; line++)
			say(&ends[i], "x\n");
	}
	for (unsigned i = 0; i < COUNT(ends); i++)
		finish(&ends[i], START);
	assert_true(counts[0] <= VOICES_RATE);
	voices_drain(&voices, START);
	assert_int_equal(counts[0] + counts[1], 20 * 90);
	voices_drain(&voices, START);
	assert_int_equal(counts[0] + counts[1], 20 * 90);
	fake.report.log.function = keep;
	fake.report.log.arg = &fake.log;
}

/* A program that writes without end is read at a pace, and waits meanwhile. */
static void one_that_fills_its_pipe_is_left_alone_between_reads(void **state)
{
	struct program_end end = start(1, 2);
	static char page[4096];
	int pages = 0;

	(void)state;
	memset(page, 'x', sizeof(page));
	fcntl(end.fd, F_SETFL, O_NONBLOCK);
	for (int64_t now_us = START; now_us < START + SECOND; now_us += MS) {
		while (write(end.fd, page, sizeof(page)) > 0)
			pages++;
		loop_wait(&fake.loop, 0);
		voices_tick(&voices, now_us);
		assert_true(voices_deadline(&voices) > now_us);
	}
	assert_true(pages <= 51 * 16 + 16);
	assert_true(pages >= 20 * 16);
	finish(&end, START + SECOND);
}

static void many_that_fill_their_pipes_share_the_supervisors_time(void **state)
{
	struct program_end ends[MAX];
	static char page[65536];
	int reads = 0;

	(void)state;
	memset(page, 'x', sizeof(page));
	for (unsigned i = 0; i < MAX; i++) {
		ends[i] = start(i + 1, 2);
		fcntl(ends[i].fd, F_SETFL, O_NONBLOCK);
	}
	for (int64_t now_us = START; now_us < START + SECOND; now_us += MS) {
		for (unsigned i = 0; i < MAX; i++)
			while (write(ends[i].fd, page, sizeof(page)) > 0)
				reads++;
		voices_tick(&voices, now_us);
	}
	assert_true(reads <= MAX + 51 * 16);
	for (unsigned i = 0; i < MAX; i++)
		finish(&ends[i], START + SECOND);
}

static void one_that_is_quiet_costs_no_wake_up(void **state)
{
	struct program_end end = start(1, 2);

	(void)state;
	assert_true(voices_deadline(&voices) < START + SECOND);
	voices_tick(&voices, START + SECOND);
	assert_true(voices_deadline(&voices) == CLOCK_NEVER);
	say(&end, "at last\n");
	assert_int_equal(loop_wait(&fake.loop, 0), 0);
	expect("text=\"at last\"\n");
	finish(&end, START + SECOND);
}

/* What the program has started has the pipe too. */
static void others_that_hold_the_pipe_are_heard_and_hold_nothing_up(void **state)
{
	struct program_end end = start(1, 2);
	int other = dup(end.fd);

	(void)state;
	close(end.fd);
	say(&(struct program_end){ .fd = other }, "still here\n");
	assert_true(voice_drain(&voices, end.voice, START));
	expect("text=\"still here\"\n");
	say(&(struct program_end){ .fd = other }, "the last\n");
	voice_end(&voices, end.voice, START);
	expect("text=\"the last\"\n");
	close(other);
}

static void what_fills_the_pipe_for_ever_does_not_hold_up_an_end(void **state)
{
	struct program_end end = start(1, 2);
	static char page[4096];

	(void)state;
	fcntl(end.fd, F_SETPIPE_SZ, 1 << 20);
	fcntl(end.fd, F_SETFL, O_NONBLOCK);
	while (write(end.fd, page, sizeof(page)) > 0)
		;
	voice_drain(&voices, end.voice, START);
	voice_end(&voices, end.voice, START);
	close(end.fd);
}

static void a_place_is_used_again_and_remembers_nothing(void **state)
{
	(void)state;
	for (int i = 0; i < 5 * MAX; i++) {
		struct program_end end = start((uint64_t)i + 1, 2);

		kept_forget(&fake.log);
		for (int line = 0; line < 3; line++)
			say(&end, "x\n");
		say(&end, "half");
		finish(&end, START + i * SECOND);
		assert_int_equal(kept_count(&fake.log, "event=said"), 4);
	}
	assert_true(voices_deadline(&voices) == CLOCK_NEVER);
}

static void without_a_place_or_a_pipe_there_is_an_error(void **state)
{
	struct program_end ends[MAX];
	int fd;

	(void)state;
	for (unsigned i = 0; i < MAX; i++)
		ends[i] = start(1, 2);
	assert_null(voice_open(&voices, &fd, START));
	for (unsigned i = 0; i < MAX; i++)
		finish(&ends[i], START);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		heard(a_line_of_a_program_is_a_line_of_the_log),
		heard(a_spare_has_no_connection_yet),
		heard(bytes_of_any_kind_stay_one_line),
		heard(a_long_line_is_cut_and_says_by_how_much),
		heard(a_cut_by_escapes_is_counted),
		heard(many_lines_of_a_program_are_counted),
		heard(the_rate_recovers_with_time),
		heard(many_programs_share_a_rate_and_every_line_is_counted),
		heard(one_that_fills_its_pipe_is_left_alone_between_reads),
		heard(many_that_fill_their_pipes_share_the_supervisors_time),
		heard(one_that_is_quiet_costs_no_wake_up),
		heard(others_that_hold_the_pipe_are_heard_and_hold_nothing_up),
		heard(what_fills_the_pipe_for_ever_does_not_hold_up_an_end),
		heard(a_place_is_used_again_and_remembers_nothing),
		heard(without_a_place_or_a_pipe_there_is_an_error),
	};

	return cmocka_run_group_tests_name("voice", tests, NULL, NULL);
}
