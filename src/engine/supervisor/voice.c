#include "voice.h"

#include <sys/epoll.h>
#include <sys/syscall.h>

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/gate.h"
#include "base/memory.h"
#include "engine/admit/rate.h"
#include "report.h"

#define READ_BYTES  65536 /* what a pipe holds (pipe(7)) */
#define PAUSE_US    20000 /* between two reads from the same program */
#define READS_MOST  16    /* in each such time, from all programs together */
#define LOOKS_MOST  256   /* the same, when there is nothing to read */
#define DRAINS_MOST 4     /* reads when a program has ended */
#define SECOND_NS   INT64_C(1000000000)

static const struct rate voice_rate = { SECOND_NS / VOICE_RATE,
					SECOND_NS - SECOND_NS / VOICE_RATE };
static const struct rate voices_rate = { SECOND_NS / VOICES_RATE,
					 SECOND_NS - SECOND_NS / VOICES_RATE };

bool voices_are_heard(const struct prong_options *options)
{
	return options->program->error_output == PRONG_STDERR_LOG &&
	       (options->log_fd > 0 || options->log != NULL) &&
	       options->log_level >= PRONG_LOG_NORMAL;
}

int voices_open(struct voices *voices, struct loop *loop, struct report *report,
		unsigned max)
{
	voices->loop = loop;
	voices->report = report;
	voices->max = max;
	voices->at = memory_private(max * sizeof(voices->at[0]));
	voices->buffer = memory_private(READ_BYTES);
	return voices->at != NULL && voices->buffer != NULL ? 0 : -ENOMEM;
}

void voices_close(struct voices *voices)
{
	for (unsigned i = 0; i < voices->touched; i++)
		if (voices->at[i].fd >= 0)
			close(voices->at[i].fd);
	memory_release(voices->at, voices->max * sizeof(voices->at[0]));
	memory_release(voices->buffer, READ_BYTES);
	voices->at = NULL;
	voices->buffer = NULL;
}

/* Whether a line may be logged now; if so, it is counted. */
static bool may_log(struct voices *voices, struct voice *voice, int64_t now_us)
{
	int64_t now_ns = rate_clock_ns(now_us);

	if (!rate_allows(&voice_rate, voice->full_at_ns, now_ns) ||
	    !rate_allows(&voices_rate, voices->full_at_ns, now_ns))
		return false;
	voice->full_at_ns = rate_take(&voice_rate, voice->full_at_ns, now_ns);
	voices->full_at_ns = rate_take(&voices_rate, voices->full_at_ns, now_ns);
	return true;
}

/* The line is complete. */
static void end_line(struct voices *voices, struct voice *voice, int64_t now_us)
{
	struct said said = {
		.conn = voice->conn,
		.pid = voice->pid,
		.text = voice->text,
		.length = voice->length,
		.cut = voice->cut,
		.dropped = voice->dropped + voices->dropped,
	};

	if (may_log(voices, voice, now_us)) {
		report_said(voices->report, &said);
		voice->dropped = voices->dropped = 0;
	} else {
		voice->dropped++;
	}
	voice->length = voice->cut = 0;
}

static void take_bytes(struct voices *voices, struct voice *voice, size_t count,
		       int64_t now_us)
{
	const char *bytes = voices->buffer;
	const char *end = bytes + count;

	while (bytes < end) {
		const char *newline = memchr(bytes, '\n', (size_t)(end - bytes));
		size_t part = (size_t)((newline != NULL ? newline : end) - bytes);
		size_t room = VOICE_LINE_MAX - voice->length;
		size_t kept = part < room ? part : room;

		memcpy(voice->text + voice->length, bytes, kept);
		voice->length += kept;
		voice->cut += part - kept;
		if (newline == NULL)
			return;
		end_line(voices, voice, now_us);
		bytes = newline + 1;
	}
}

static void pause_reading(struct voices *voices, struct voice *voice, int64_t now_us)
{
	voice->watched = false;
	voice->resume_us = now_us + PAUSE_US;
	voice->next = NULL;
	voice->previous = voices->last;
	if (voices->last != NULL)
		voices->last->next = voice;
	else
		voices->first = voice;
	voices->last = voice;
}

static void unlist(struct voices *voices, struct voice *voice)
{
	if (voice->previous != NULL)
		voice->previous->next = voice->next;
	else
		voices->first = voice->next;
	if (voice->next != NULL)
		voice->next->previous = voice->previous;
	else
		voices->last = voice->previous;
}

static void stop_listening(struct voices *voices, struct voice *voice)
{
	if (voice->fd < 0)
		return;
	if (voice->watched)
		loop_remove(voices->loop, voice->fd);
	else
		unlist(voices, voice);
	close(voice->fd);
	voice->fd = -1;
}

/* Reads once. Returns how many bytes there were, or -EAGAIN; after the end fd is -1. */
static ssize_t read_once(struct voices *voices, struct voice *voice, int64_t now_us)
{
	ssize_t n = GATE(read, voice->fd, voices->buffer, READ_BYTES);

	if (n > 0)
		take_bytes(voices, voice, (size_t)n, now_us);
	else if (n != -EAGAIN)
		stop_listening(voices, voice);
	return n;
}

static void on_text(void *owner, unsigned index, uint32_t events, int64_t now_us)
{
	struct voices *voices = owner;
	struct voice *voice = &voices->at[index];

	(void)events;
	if (voice->fd < 0 || !voice->watched || read_once(voices, voice, now_us) <= 0)
		return;
	loop_remove(voices->loop, voice->fd);
	pause_reading(voices, voice, now_us);
}

static struct voice *take(struct voices *voices)
{
	struct voice *voice = voices->free;

	if (voice != NULL)
		voices->free = voice->next;
	else if (voices->touched < voices->max)
		voice = &voices->at[voices->touched++];
	return voice;
}

static void give_back(struct voices *voices, struct voice *voice)
{
	voice->fd = -1;
	voice->next = voices->free;
	voices->free = voice;
}

/* The program's end has its own file description, and blocks. Sets errno. */
static int open_pipe(int ends[2])
{
	int error;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	if (fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
		return 0;
	error = errno;
	close(ends[0]);
	close(ends[1]);
	errno = error;
	return -1;
}

struct voice *voice_open(struct voices *voices, int *end, int64_t now_us)
{
	struct voice *voice = take(voices);
	int ends[2];

	if (voice == NULL) {
		errno = ENFILE;
		return NULL;
	}
	if (open_pipe(ends) < 0) {
		give_back(voices, voice);
		return NULL;
	}
	voice->fd = ends[0];
	voice->conn = voice->dropped = 0;
	voice->pid = 0;
	voice->full_at_ns = 0;
	voice->length = voice->cut = 0;
	voice->watch =
		(struct watch){ on_text, voices, (unsigned)(voice - voices->at) };
	/* Most programs write nothing, and many have ended by the first look. */
	pause_reading(voices, voice, now_us);
	*end = ends[1];
	return voice;
}

bool voice_drain(struct voices *voices, struct voice *voice, int64_t now_us)
{
	for (int i = 0; i < DRAINS_MOST && voice->fd >= 0; i++)
		if (read_once(voices, voice, now_us) == -EAGAIN)
			break;
	return voice->fd >= 0;
}

/* Dropped lines are reported now, or with the next line of another program. */
static void tell_dropped(struct voices *voices, struct voice *voice, int64_t now_us)
{
	struct said said = { .conn = voice->conn, .pid = voice->pid };

	if (voice->dropped == 0)
		return;
	voice->full_at_ns = 0;
	said.dropped = voice->dropped + voices->dropped;
	voices->dropped = said.dropped;
	if (!may_log(voices, voice, now_us) && !voices->draining)
		return;
	report_said(voices->report, &said);
	voices->dropped = 0;
}

void voice_end(struct voices *voices, struct voice *voice, int64_t now_us)
{
	if (voice == NULL)
		return;
	voice_drain(voices, voice, now_us);
	stop_listening(voices, voice);
	if (voice->length > 0)
		end_line(voices, voice, now_us);
	tell_dropped(voices, voice, now_us);
	give_back(voices, voice);
}

/* Goes on reading a pipe that was left alone. Returns whether there was something. */
static bool resume(struct voices *voices, struct voice *voice, int64_t now_us)
{
	ssize_t n = read_once(voices, voice, now_us);

	if (voice->fd < 0)
		return n > 0;
	unlist(voices, voice);
	if (n == -EAGAIN &&
	    loop_add(voices->loop, voice->fd, EPOLLIN, &voice->watch) == 0)
		voice->watched = true;
	else
		pause_reading(voices, voice, now_us);
	return n > 0;
}

void voices_tick(struct voices *voices, int64_t now_us)
{
	int reads = 0;

	if (voices_deadline(voices) > now_us)
		return;
	for (int i = 0; i < LOOKS_MOST && reads < READS_MOST; i++) {
		if (voices->first == NULL || voices->first->resume_us > now_us)
			return;
		reads += resume(voices, voices->first, now_us);
	}
	voices->resume_us = now_us + PAUSE_US;
}

int64_t voices_deadline(const struct voices *voices)
{
	if (voices->first == NULL)
		return CLOCK_NEVER;
	return voices->first->resume_us > voices->resume_us ? voices->first->resume_us
							    : voices->resume_us;
}

void voices_drain(struct voices *voices, int64_t now_us)
{
	struct voice server = { .dropped = voices->dropped };

	voices->draining = true;
	voices->dropped = 0;
	tell_dropped(voices, &server, now_us);
}
