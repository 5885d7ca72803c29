#include "conversation.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "common/command.h"
#include "common/interrupt.h"
#include "connect_options.h"

/*
 * How long to wait, after the server's close, for a socket that takes nothing more. A
 * server that lingers before it finally closes (prongd: 2 s) has finished by then.
 */
#define STALL_MS 3000

/*
 * For "prong connect HOST daytime | head -1": head may close before the server does.
 * All output has been printed then. To distinguish that from a conversation that was
 * cut off, the server's end is waited for this long.
 */
#define GONE_MS 250

void conversation_end(struct conversation *talk, enum ending ending, int error)
{
	talk->ending = ending;
	talk->error = error;
}

static void tell_sent(const struct conversation *talk, const char *why)
{
	if (talk->verbose)
		command_say(&connect_page, "%s: %sreading on", why,
			    talk->rules.no_half_close ? "" : "half-closed, ");
}

/*
 * Whether error says only that the server has closed and takes no more. A TCP server
 * that receives more after its own end answers with a reset, and send(2) fails with
 * EPIPE (a reset without an end before it gives ECONNRESET). A UNIX server that closes
 * with input unread leaves ECONNRESET, but everything that it sent has arrived; one
 * that never accepted the connection leaves that error too.
 */
static bool means_closed(const struct conversation *talk, int error)
{
	return error == EPIPE || (error == ECONNRESET && talk->received_bytes > 0 &&
				  strncmp(talk->server, "unix:", 5) == 0);
}

/* The server has closed, and the writing process has ended. */
static void conclude(struct conversation *talk)
{
	const struct writer *writer = &talk->writer;

	if (writer->end == WRITER_SEND_FAILED && !means_closed(talk, writer->error)) {
		conversation_end(talk, ENDING_CONNECTION_FAILED, writer->error);
		return;
	}
	if (talk->verbose)
		command_say(&connect_page, "the server closed");
	conversation_end(talk, ENDING_SERVER_CLOSED, 0);
}

/*
 * Whether the server's end or reset has arrived, even if bytes before it are still
 * unread.
 */
static bool has_closed(const struct conversation *talk)
{
	struct pollfd closed = { .fd = talk->sock, .events = POLLRDHUP };

	return poll(&closed, 1, 0) > 0;
}

/*
 * A reset that send(2) reports is left to the reading side, which first prints what
 * arrived before it. If the server has not closed, the unsent input is missing there.
 */
static void judge_send_failure(struct conversation *talk)
{
	int error = talk->writer.error;

	if ((error != EPIPE && error != ECONNRESET) || !has_closed(talk))
		conversation_end(talk, ENDING_CONNECTION_FAILED, error);
}

static void judge_writer(struct conversation *talk)
{
	struct writer *writer = &talk->writer;

	switch (writer->end) {
	case WRITER_INPUT_ENDED:
		tell_sent(talk, "the input ended");
		break;
	case WRITER_QUIT:
		tell_sent(talk, "a line with q alone");
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
	case WRITER_HURRIED:
		break;
	}
	if (talk->parting && talk->ending == ENDING_NONE)
		conclude(talk);
}

void conversation_writer_ended(struct conversation *talk)
{
	writer_collect(&talk->writer);
	judge_writer(talk);
}

void conversation_server_closed(struct conversation *talk)
{
	talk->parting = true;
	talk->parting_since_us = clock_now_us();
	if (talk->writer.pidfd < 0)
		conclude(talk);
	else
		writer_hurry(&talk->writer);
}

void conversation_receive_failed(struct conversation *talk, int error)
{
	if (means_closed(talk, error))
		conversation_server_closed(talk);
	else
		conversation_end(talk, ENDING_CONNECTION_FAILED, error);
}

static int64_t later(int64_t a_us, int64_t b_us)
{
	return a_us > b_us ? a_us : b_us;
}

/*
 * While output is stuck, the server's bytes are not read, so it is unknown whether it
 * is idle.
 */
static int64_t idle_deadline_us(const struct conversation *talk)
{
	if (talk->limits.idle_ms == 0 || talk->printing)
		return CLOCK_NEVER;
	return later(talk->read_us, writer_moved_us(&talk->writer)) +
	       clock_us_from_ms(talk->limits.idle_ms);
}

static int64_t gone_deadline_us(const struct conversation *talk)
{
	if (!talk->output_gone || talk->parting)
		return CLOCK_NEVER;
	return talk->output_gone_us + clock_us_from_ms(GONE_MS);
}

static int64_t stall_deadline_us(const struct conversation *talk)
{
	if (!talk->parting)
		return CLOCK_NEVER;
	return later(talk->parting_since_us, writer_moved_us(&talk->writer)) +
	       clock_us_from_ms(STALL_MS);
}

int64_t conversation_deadline_us(const struct conversation *talk)
{
	int64_t deadlines_us[] = {
		talk->limits.deadline_us,
		idle_deadline_us(talk),
		gone_deadline_us(talk),
		stall_deadline_us(talk),
	};

	return clock_first(deadlines_us,
			   sizeof(deadlines_us) / sizeof(deadlines_us[0]));
}

/* The server has closed, and its socket has taken nothing for a while. */
static void end_stalled(struct conversation *talk)
{
	struct writer *writer = &talk->writer;

	writer_stop(writer);
	if (writer->end == WRITER_STOPPED_UNSENT)
		conversation_end(talk, ENDING_UNSENT, 0);
	else if (writer->end == WRITER_STOPPED)
		conclude(talk);
	else
		judge_writer(talk);
}

void conversation_expire(struct conversation *talk, int64_t now_us, bool quiet)
{
	if (now_us >= talk->limits.deadline_us)
		conversation_end(talk, ENDING_TIMED_OUT, 0);
	else if (quiet && now_us >= idle_deadline_us(talk))
		conversation_end(talk, ENDING_IDLE, 0);
	else if (quiet && now_us >= gone_deadline_us(talk))
		conversation_end(talk, ENDING_OUTPUT_GONE, 0);
	else if (quiet && now_us >= stall_deadline_us(talk))
		end_stalled(talk);
}

/*
 * A file system may report only at the close that it could not keep what was written.
 */
static void finish_output(struct conversation *talk)
{
	if (close(STDOUT_FILENO) < 0 && talk->ending == ENDING_SERVER_CLOSED)
		conversation_end(talk, ENDING_OUTPUT_FAILED, errno);
}

/* Ends without a message, as cat(1) does in "cat file | head -1". */
static void tell_output_gone(const struct conversation *talk)
{
	if (talk->verbose)
		command_say(&connect_page, "standard output was closed");
}

static void tell_timeout(const struct conversation *talk)
{
	const struct conversation_limits *limits = &talk->limits;

	if (talk->ending == ENDING_IDLE)
		command_say(&connect_page,
			    "%s: no byte received or sent for %lld ms (--idle-timeout)",
			    talk->server, (long long)limits->idle_ms);
	else
		command_say(&connect_page,
			    "%s: not finished within %lld ms (--timeout)", talk->server,
			    (long long)limits->whole_ms);
}

/* Reports why it failed, if it did. Returns the exit status. */
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
	case ENDING_OUTPUT_GONE:
		tell_output_gone(talk);
		break;
	case ENDING_INPUT_FAILED:
		command_say(page, "cannot read standard input: %s", error);
		break;
	case ENDING_IDLE:
	case ENDING_TIMED_OUT:
		tell_timeout(talk);
		break;
	case ENDING_WRITER_DIED:
		if (talk->error == 0)
			command_say(page, "the writing process failed");
		else
			command_say(page, "the writing process was killed by SIG%s",
				    interrupt_name(talk->error));
		break;
	case ENDING_INTERRUPTED:
		command_say(page, "interrupted by SIG%s", interrupt_name(talk->error));
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
	talk->read_us = talk->began_us;
	return writer_start(&talk->writer, talk->sock, talk->interrupts, &talk->rules);
}

int conversation_finish(struct conversation *talk)
{
	int status;

	writer_stop(&talk->writer);
	finish_output(talk);
	status = tell_ending(talk);
	tell_summary(talk);
	writer_release(&talk->writer);
	return status;
}
