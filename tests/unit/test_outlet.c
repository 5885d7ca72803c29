#include "base/outlet.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "check.h"

#define LINE_BYTES 100
#define LINES      3000

struct kind {
	const char *name;
	/* Fills in reader and writer; false: not available here. */
	bool (*make)(int ends[2]);
	bool foreign; /* opened by a user who may not open it again */
};

static bool make_pipe(int ends[2])
{
	return pipe(ends) == 0;
}

static bool make_fifo(int ends[2])
{
	char path[] = "/tmp/prong-outlet-XXXXXX";

	if (mkdtemp(path) == NULL)
		return false;
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	ends[0] = open(path, O_RDONLY | O_NONBLOCK);
	ends[1] = open(path, O_WRONLY);
	unlink(path);
	return ends[0] >= 0 && ends[1] >= 0;
}

static bool make_stream(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM, 0, ends) == 0;
}

static bool make_datagram(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) == 0;
}

static bool make_sequence(int ends[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0;
}

static bool make_terminal(int ends[2])
{
	struct termios raw;

	if (openpty(&ends[0], &ends[1], NULL, NULL, NULL) < 0)
		return false;
	tcgetattr(ends[1], &raw);
	cfmakeraw(&raw);
	tcsetattr(ends[1], TCSANOW, &raw);
	return true;
}

static const struct kind kinds[] = {
	{ "pipe", make_pipe, false },
	{ "FIFO", make_fifo, false },
	{ "another user's pipe", make_pipe, true },
	{ "another user's FIFO", make_fifo, true },
	{ "stream socket", make_stream, false },
	{ "datagram socket", make_datagram, false },
	{ "seqpacket socket", make_sequence, false },
	{ "terminal", make_terminal, false },
};

/* Opens an outlet for ends[1] in the way of that kind; false: not here. */
static bool open_kind(const struct kind *kind, struct outlet *outlet, int ends[2])
{
	if (kind->foreign && geteuid() != 0)
		return false;
	if (!kind->make(ends))
		return false;
	if (kind->foreign)
		assert_int_equal(seteuid(65534), 0);
	outlet_open(outlet, ends[1]);
	if (kind->foreign)
		assert_int_equal(seteuid(0), 0);
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	return true;
}

static void close_kind(struct outlet *outlet, const int ends[2])
{
	outlet_close(outlet);
	close(ends[0]);
	close(ends[1]);
}

/* Lines of digits, each with its number, all of the same length. */
static char *make_lines(void)
{
	char *lines = malloc((size_t)LINES * LINE_BYTES + 1);

	assert_non_null(lines);
	for (int i = 0; i < LINES; i++)
		snprintf(lines + (size_t)i * LINE_BYTES, LINE_BYTES + 1, "%0*d\n",
			 LINE_BYTES - 1, i);
	return lines;
}

/* Reads what is there, and appends it to text. Returns how much. */
static size_t take(int reader, char *text)
{
	size_t total = 0;
	ssize_t n;

	while ((n = read(reader, text + total, 65536)) > 0)
		total += (size_t)n;
	return total;
}

/* A reader that sleeps until the outlet has no room left. */
static void expect_whole(const struct kind *kind, const char *lines)
{
	size_t length = strlen(lines), written = 0, seen = 0;
	char *text = malloc(length + 65536);
	struct outlet outlet;
	int ends[2], stalls = 0;

	if (!open_kind(kind, &outlet, ends)) {
		free(text);
		return;
	}
	while (written < length) {
		ssize_t n = outlet_write(&outlet, lines + written, length - written);

		if (n == -EAGAIN) {
			stalls++;
			seen += take(ends[0], text + seen);
			continue;
		}
		assert_true(n > 0);
		written += (size_t)n;
	}
	seen += take(ends[0], text + seen);
	assert_true(stalls > 0);
	assert_int_equal(seen, length);
	assert_memory_equal(text, lines, length);
	close_kind(&outlet, ends);
	free(text);
}

static void a_reader_that_sleeps_is_not_waited_for_and_misses_nothing(void **state)
{
	char *lines = make_lines();

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++)
		expect_whole(&kinds[i], lines);
	free(lines);
}

static void the_descriptor_that_others_share_stays_blocking(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct outlet outlet;
		int ends[2];

		if (!open_kind(&kinds[i], &outlet, ends))
			continue;
		assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
		assert_int_equal(outlet_write(&outlet, "line\n", 5), 5);
		assert_int_equal(fcntl(ends[1], F_GETFL) & O_NONBLOCK, 0);
		close_kind(&outlet, ends);
	}
}

static void a_socket_that_keeps_boundaries_gets_a_line_each(void **state)
{
	static const struct kind boundaries[] = {
		{ "datagram", make_datagram, false },
		{ "seqpacket", make_sequence, false },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(boundaries); i++) {
		struct outlet outlet;
		char text[64];
		int ends[2];

		assert_true(open_kind(&boundaries[i], &outlet, ends));
		assert_int_equal(outlet_write(&outlet, "one\ntwo\n", 8), 4);
		assert_int_equal(outlet_write(&outlet, "two\n", 4), 4);
		assert_int_equal(read(ends[0], text, sizeof(text)), 4);
		assert_memory_equal(text, "one\n", 4);
		assert_int_equal(read(ends[0], text, sizeof(text)), 4);
		close_kind(&outlet, ends);
	}
}

static void a_terminal_whose_output_is_stopped_is_not_waited_for(void **state)
{
	static const struct kind terminal = { "terminal", make_terminal, false };
	struct outlet outlet;
	int ends[2];

	(void)state;
	assert_true(open_kind(&terminal, &outlet, ends));
	assert_int_equal(tcflow(ends[1], TCOOFF), 0); /* as ^S does */
	assert_int_equal(outlet_write(&outlet, "line\n", 5), -EAGAIN);
	assert_int_equal(tcflow(ends[1], TCOON), 0);
	assert_int_equal(outlet_write(&outlet, "line\n", 5), 5);
	close_kind(&outlet, ends);
}

/* Another process that fills the pipe as fast as it can, blocking, a page at a time. */
static pid_t start_rival(int writer, int reader)
{
	pid_t pid = fork();
	char page[4096];

	assert_true(pid >= 0);
	if (pid > 0)
		return pid;
	close(reader);
	signal(SIGPIPE, SIG_DFL);
	memset(page, 'x', sizeof(page) - 1);
	page[sizeof(page) - 1] = '\n';
	while (write(writer, page, sizeof(page)) > 0)
		;
	_exit(0);
}

/* Copies what the rival did not write; each line must be whole. */
static size_t strip_rival(const char *text, size_t length, char *ours)
{
	size_t kept = 0;

	for (const char *line = text; line < text + length;) {
		const char *end = memchr(line, '\n', (size_t)(text + length - line));
		size_t size = (size_t)(end - line) + 1;

		if (line[0] != 'x') {
			assert_int_equal(size, LINE_BYTES);
			memcpy(ours + kept, line, size);
			kept += size;
		} else {
			assert_int_equal(size, 4096);
		}
		line = end + 1;
	}
	return kept;
}

static void expect_whole_beside_rival(const struct kind *kind, const char *lines)
{
	size_t length = strlen(lines), written = 0, seen = 0, size = 64 << 20;
	char *text = malloc(size), *ours = malloc(length + 4096);
	struct outlet outlet;
	int ends[2];
	pid_t rival;

	if (!open_kind(kind, &outlet, ends)) {
		free(text), free(ours);
		return;
	}
	rival = start_rival(ends[1], ends[0]);
	while (written < length) {
		ssize_t n = outlet_write(&outlet, lines + written, length - written);

		if (n == -EAGAIN) {
			ssize_t got = read(ends[0], text + seen, 8192);

			seen += got > 0 ? (size_t)got : 0;
			assert_true(seen < size - (1 << 20));
			continue;
		}
		assert_true(n > 0);
		written += (size_t)n;
	}
	kill(rival, SIGKILL);
	waitpid(rival, NULL, 0);
	seen += take(ends[0], text + seen);
	assert_int_equal(strip_rival(text, seen, ours), length);
	assert_memory_equal(ours, lines, length);
	close_kind(&outlet, ends);
	free(text), free(ours);
}

static void lines_are_whole_among_those_of_another_writer(void **state)
{
	char *lines = make_lines();

	(void)state;
	for (size_t i = 0; i < COUNT(kinds); i++)
		if (kinds[i].make == make_pipe || kinds[i].make == make_fifo)
			expect_whole_beside_rival(&kinds[i], lines);
	free(lines);
}

static void a_reader_that_has_gone_is_an_error(void **state)
{
	(void)state;
	assert_ptr_equal(signal(SIGPIPE, SIG_IGN), SIG_DFL);
	for (size_t i = 0; i < COUNT(kinds); i++) {
		struct outlet outlet;
		int ends[2];

		if (!open_kind(&kinds[i], &outlet, ends))
			continue;
		close(ends[0]);
		assert_true(outlet_write(&outlet, "line\n", 5) < 0);
		ends[0] = -1;
		close_kind(&outlet, ends);
	}
	signal(SIGPIPE, SIG_DFL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_reader_that_sleeps_is_not_waited_for_and_misses_nothing),
		promise(the_descriptor_that_others_share_stays_blocking),
		promise(a_socket_that_keeps_boundaries_gets_a_line_each),
		promise(a_terminal_whose_output_is_stopped_is_not_waited_for),
		promise(lines_are_whole_among_those_of_another_writer),
		promise(a_reader_that_has_gone_is_an_error),
	};

	return cmocka_run_group_tests_name("outlet", tests, NULL, NULL);
}
