#include "reader.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"
#include "common/interrupt.h"

#define BUFFER_SIZE 131072
#define RETRY_MS    10

/* What it waits for, in the order in which events are handled. */
enum source { INTERRUPT, WRITER, SERVER, OUTPUT, SOURCES };

struct reader {
	struct conversation *talk;
	int output;
	size_t chunk;   /* the most to write at once, so that it never blocks */
	const char *at; /* the next of the left bytes in the buffer to be printed */
	size_t left;
	char buffer[BUFFER_SIZE];
};

/*
 * stdout may be shared with other processes, so it is not made non-blocking; a pipe or
 * terminal is opened again instead. If that is impossible, at most PIPE_BUF bytes are
 * written at once, which a pipe takes when poll(2) calls it writable (pipe(7)). A file
 * never blocks.
 */
static void open_output(struct reader *reader)
{
	struct stat status = { .st_mode = 0 };
	int own = -1;

	fstat(STDOUT_FILENO, &status);
	if (S_ISFIFO(status.st_mode) || isatty(STDOUT_FILENO))
		own = open("/proc/self/fd/1",
			   O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	reader->output = own >= 0 ? own : STDOUT_FILENO;
	reader->chunk = own >= 0 || S_ISREG(status.st_mode) ? BUFFER_SIZE : PIPE_BUF;
}

static void close_output(struct reader *reader)
{
	if (reader->output != STDOUT_FILENO)
		close(reader->output);
}

/* Receives nothing while output is left to print: the server has to wait. */
static void wait_for_events(const struct reader *reader, struct pollfd ready[SOURCES])
{
	const struct conversation *talk = reader->talk;
	bool printing = reader->left > 0;
	bool listening = !printing && !talk->parting;
	bool watched = printing || !(talk->parting || talk->output_gone);
	int64_t deadline_us = conversation_deadline_us(talk);

	ready[INTERRUPT] = (struct pollfd){ talk->interrupts, POLLIN, 0 };
	ready[WRITER] = (struct pollfd){ talk->writer.pidfd, POLLIN, 0 };
	ready[SERVER] = (struct pollfd){ listening ? talk->sock : -1, POLLIN, 0 };
	ready[OUTPUT] = (struct pollfd){ watched ? reader->output : -1,
					 printing ? POLLOUT : 0, 0 };
	poll(ready, SOURCES, clock_timeout_ms(deadline_us, clock_now_us()));
}

/* A terminal can be writable and still lack room for a newline's two bytes. */
static void pause_output(const struct reader *reader)
{
	struct pollfd interrupt = { reader->talk->interrupts, POLLIN, 0 };

	poll(&interrupt, 1, RETRY_MS);
}

static void print_some(struct reader *reader)
{
	size_t size = reader->left < reader->chunk ? reader->left : reader->chunk;
	ssize_t n = write(reader->output, reader->at, size);

	if (n >= 0) {
		reader->at += n;
		reader->left -= (size_t)n;
		reader->talk->printing = reader->left > 0;
		reader->talk->read_us = clock_now_us();
	} else if (errno == EAGAIN) {
		pause_output(reader);
	} else if (errno == EPIPE || errno == ECONNRESET) {
		conversation_end(reader->talk, ENDING_OUTPUT_GONE, errno);
	} else if (errno != EINTR) {
		conversation_end(reader->talk, ENDING_OUTPUT_FAILED, errno);
	}
}

/* With nothing to print, stdout can only report that its reader is gone. */
static void see_to_output(struct reader *reader)
{
	struct conversation *talk = reader->talk;

	if (reader->left > 0) {
		print_some(reader);
		return;
	}
	talk->output_gone = true;
	talk->output_gone_us = clock_now_us();
}

static void receive(struct reader *reader)
{
	struct conversation *talk = reader->talk;
	ssize_t n = recv(talk->sock, reader->buffer, sizeof(reader->buffer), 0);

	if (n > 0) {
		talk->received_bytes += (uint64_t)n;
		reader->at = reader->buffer;
		reader->left = (size_t)n;
		talk->printing = true;
		talk->read_us = clock_now_us();
	} else if (n == 0) {
		conversation_server_closed(talk);
	} else if (errno != EAGAIN && errno != EINTR) {
		conversation_receive_failed(talk, errno);
	}
}

void reader_run(struct conversation *talk)
{
	struct pollfd ready[SOURCES];
	struct reader reader;

	reader.talk = talk;
	open_output(&reader);
	reader.left = 0;
	while (talk->ending == ENDING_NONE) {
		bool quiet = false;

		wait_for_events(&reader, ready);
		if (ready[INTERRUPT].revents != 0)
			conversation_end(talk, ENDING_INTERRUPTED,
					 interrupt_take(talk->interrupts));
		else if (ready[WRITER].revents != 0)
			conversation_writer_ended(talk);
		else if (ready[SERVER].revents != 0)
			receive(&reader);
		else if (ready[OUTPUT].revents != 0)
			see_to_output(&reader);
		else
			quiet = true;
		if (talk->ending == ENDING_NONE)
			conversation_expire(talk, clock_now_us(), quiet);
	}
	close_output(&reader);
}
