#include "conversation.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "common/command.h"
#include "common/interrupt.h"
#include "connect_options.h"

void conversation_end(struct conversation *talk, enum ending ending, int error)
{
	talk->ending = ending;
	talk->error = error;
}

static void tell_half_closed(const struct conversation *talk, const char *why)
{
	if (talk->verbose)
		command_say(&connect_page, "%s: half-closed, reading on", why);
}

/*
 * While the server may still be sending, a reset found in sending is left for the
 * reading to find: what arrived before it is printed first.
 */
static void judge_send_failure(struct conversation *talk)
{
	int error = talk->writer.error;

	if (error != EPIPE && error != ECONNRESET)
		conversation_end(talk, ENDING_CONNECTION_FAILED, error);
}

void conversation_writer_ended(struct conversation *talk)
{
	struct writer *writer = &talk->writer;

	writer_collect(writer);
	switch (writer->end) {
	case WRITER_INPUT_ENDED:
		tell_half_closed(talk, "the input ended");
		break;
	case WRITER_QUIT:
		tell_half_closed(talk, "a line with q alone");
		break;
	case WRITER_SEND_FAILED:
		judge_send_failure(talk);
		break;
	case WRITER_INPUT_FAILED:
		conversation_end(talk, ENDING_INPUT_FAILED, writer->error);
		break;
	case WRITER_STOPPED:
	case WRITER_STOPPED_UNSENT:
	case WRITER_DIED:
		conversation_end(talk, ENDING_WRITER_DIED, writer->error);
		break;
	case WRITER_RUNS:
		break;
	}
}

/* Input that nobody has read: in a file, a pipe or a terminal's queue. */
static bool input_waits(void)
{
	int waiting = 0;

	return ioctl(STDIN_FILENO, FIONREAD, &waiting) == 0 && waiting != 0;
}

/*
 * The server's end was seen as an orderly one. It was not if the other process got to
 * know of a reset first (an error of a socket is reported once), or had bytes left.
 */
static void judge_server_close(struct conversation *talk)
{
	const struct writer *writer = &talk->writer;
	socklen_t length = sizeof(int);
	int error = 0;

	getsockopt(talk->sock, SOL_SOCKET, SO_ERROR, &error, &length);
	if (writer->end == WRITER_SEND_FAILED)
		error = writer->error;
	if (error == EPIPE || writer->end == WRITER_STOPPED_UNSENT ||
	    (writer->end == WRITER_STOPPED && input_waits()))
		conversation_end(talk, ENDING_UNSENT, 0);
	else if (error != 0)
		conversation_end(talk, ENDING_CONNECTION_FAILED, error);
}

/* Stops the writing process, which can change how the conversation has ended. */
static void settle(struct conversation *talk)
{
	struct writer *writer = &talk->writer;
	bool ran = writer->pidfd >= 0;

	writer_stop(writer);
	if (talk->ending != ENDING_SERVER_CLOSED)
		return;
	if (ran && writer->end == WRITER_INPUT_ENDED)
		tell_half_closed(talk, "the input ended");
	if (ran && writer->end == WRITER_QUIT)
		tell_half_closed(talk, "a line with q alone");
	if (talk->verbose)
		command_say(&connect_page, "the server closed");
	if (writer->end == WRITER_INPUT_FAILED)
		conversation_end(talk, ENDING_INPUT_FAILED, writer->error);
	else if (writer->end == WRITER_DIED)
		conversation_end(talk, ENDING_WRITER_DIED, writer->error);
	else
		judge_server_close(talk);
}

/* A file system may report only now that it could not keep what was written. */
static void finish_output(struct conversation *talk)
{
	if (close(STDOUT_FILENO) < 0 && talk->ending == ENDING_SERVER_CLOSED)
		conversation_end(talk, ENDING_OUTPUT_FAILED, errno);
}

/* Says why it failed, if it did. Returns the exit status. */
static int tell_ending(const struct conversation *talk)
{
	const struct option_page *page = &connect_page;
	const char *error = strerror(talk->error);

	switch (talk->ending) {
	case ENDING_NONE:
	case ENDING_SERVER_CLOSED:
		return 0;
	case ENDING_UNSENT:
		command_say(page, "%s: the server closed before it took all input",
			    talk->server);
		break;
	case ENDING_CONNECTION_FAILED:
		command_say(page, "%s: %s", talk->server, error);
		break;
	case ENDING_OUTPUT_FAILED:
		command_say(page, "cannot write to standard output: %s", error);
		break;
	case ENDING_INPUT_FAILED:
		command_say(page, "cannot read standard input: %s", error);
		break;
	case ENDING_WRITER_DIED:
		if (talk->error == 0)
			command_say(page, "the writing process failed");
		else
			command_say(page, "the writing process was ended by SIG%s",
				    interrupt_name(talk->error));
		break;
	case ENDING_INTERRUPTED:
		command_say(page, "broken off by SIG%s", interrupt_name(talk->error));
		break;
	}
	return EXIT_FAILED;
}

static void tell_summary(const struct conversation *talk)
{
	if (talk->verbose)
		command_say(&connect_page, "sent %llu bytes, received %llu, in %.3f s",
			    (unsigned long long)writer_sent_bytes(&talk->writer),
			    (unsigned long long)talk->received_bytes,
			    (double)(clock_now_us() - talk->began_us) / 1e6);
}

int conversation_start(struct conversation *talk)
{
	talk->began_us = clock_now_us();
	return writer_start(&talk->writer, talk->sock, talk->interrupts);
}

int conversation_finish(struct conversation *talk)
{
	int status;

	settle(talk);
	finish_output(talk);
	status = tell_ending(talk);
	tell_summary(talk);
	writer_release(&talk->writer);
	return status;
}
