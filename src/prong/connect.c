#include "connect.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/die.h"
#include "common/command.h"
#include "common/interrupt.h"
#include "common/race.h"
#include "connect_options.h"
#include "conversation.h"
#include "destination.h"
#include "fuse.h"
#include "reader.h"
#include "ucspi.h"

#define LATE_MAX     384
#define FAILURES_MAX 3072 /* the failure of each address of a name */

/* The failures of the addresses tried so far, as one line. */
struct failures {
	char text[FAILURES_MAX];
	size_t used;
};

static void note_failure(struct failures *failures, const char *name, int err)
{
	size_t room = sizeof(failures->text) - failures->used;
	int n = snprintf(failures->text + failures->used, room, "%s%s: %s",
			 failures->used > 0 ? "; " : "", name, strerror(-err));

	failures->used += (size_t)n < room ? (size_t)n : room - 1;
}

/* Reports each address that was tried on stderr. */
static void tell_failures(const struct race_result *result,
			  const struct address_list *found)
{
	struct failures failures = { .used = 0 };
	char name[ADDRESS_TEXT_MAX];

	for (unsigned i = 0; i < found->count; i++) {
		if (result->errors[i] == 0)
			continue;
		address_format(&found->at[i], name, sizeof(name));
		note_failure(&failures, name, result->errors[i]);
	}
	command_say(&connect_page, "%s", failures.text);
}

/* Reports what is in progress; latest receives the address tried last. */
struct progress {
	bool verbose;
	unsigned addresses;
	char latest[ADDRESS_TEXT_MAX];
};

static void tell_progress(void *owner, const struct address *to, int error)
{
	struct progress *progress = owner;
	char name[ADDRESS_TEXT_MAX];

	address_format(to, name, sizeof(name));
	if (error == 0)
		memcpy(progress->latest, name, sizeof(name));
	if (!progress->verbose)
		return;
	if (error == 0)
		command_say(&connect_page, "trying %s", name);
	else if (progress->addresses > 1)
		command_say(&connect_page, "%s: %s", name, strerror(-error));
}

/* What the command line asks for. */
struct task {
	struct connect_settings settings;
	int count;               /* number of words */
	char **words;            /* the words of the address */
	char **program;          /* NULL: a conversation of our own */
	int64_t began_us;        /* the times of the settings count from here */
	int64_t connected_by_us; /* clock_now_us() */
	int failed;              /* exit status if there is no connection */
};

/*
 * A program has its own input and its own conversation, so options that change these
 * are refused.
 */
static void check_program(const struct connect_settings *settings, char **program)
{
	const struct {
		bool given;
		const char *name;
	} refused[] = {
		{ settings->writer.crlf, "--crlf" },
		{ settings->writer.no_quit, "--no-quit" },
		{ settings->writer.no_half_close, "--no-half-close" },
		{ settings->idle_timeout_ms > 0, "--idle-timeout" },
		{ settings->timeout_ms > 0, "--timeout" },
	};

	if (program[0] == NULL)
		option_die(&connect_page, "no program is given: it goes after --");
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
		if (refused[i].given)
			option_die(&connect_page,
				   "%s has no effect on a program, which owns the "
				   "connection: use --connect-timeout or timeout(1)",
				   refused[i].name);
}

/* Separates the words of the address from the program after "--". */
static void split_words(struct task *task, int count, char **words)
{
	task->words = words;
	for (task->count = 0; task->count < count; task->count++)
		if (strcmp(words[task->count], "--") == 0) {
			task->program = words + task->count + 1;
			check_program(&task->settings, task->program);
			return;
		}
}

/* When a time that began at from_us ends; 0 ms means no limit. */
static int64_t end_of(int64_t from_us, int64_t ms)
{
	return ms == 0 ? CLOCK_NEVER : from_us + clock_us_from_ms(ms);
}

static void read_command_line(struct task *task, int argc, char **argv)
{
	const struct connect_settings *settings = &task->settings;
	int64_t ends_us[2];
	int first;

	*task = (struct task){ .began_us = clock_now_us() };
	first = option_parse(&connect_page, &task->settings, argc, argv);
	split_words(task, argc - first, argv + first);
	ends_us[0] = end_of(task->began_us, settings->timeout_ms);
	ends_us[1] = end_of(task->began_us, settings->connect_timeout_ms);
	task->connected_by_us = clock_first(ends_us, 2);
	task->failed = task->program != NULL ? UCSPI_FAILED : EXIT_FAILED;
}

/* Ends the program if there is no address, or if looking it up takes too long. */
static void find_addresses(struct address_list *found, const struct task *task)
{
	const struct connect_settings *settings = &task->settings;
	const char *host = task->count > 0 ? task->words[0] : "";
	char late[LATE_MAX];
	struct why why;

	if (settings->verbose)
		command_say(&connect_page, "resolving %s", host);
	snprintf(late, sizeof(late), "%s: cannot find the host \"%.255s\" in time\n",
		 connect_page.program, host);
	fuse_light(task->connected_by_us, task->failed, late);
	if (destination_find(found, settings, task->count, task->words, &why) < 0 ||
	    destination_check_source(settings, &why) < 0)
		die(task->failed, connect_page.program, "%s", why.text);
	fuse_remove();
}

/*
 * Connects talk to the first of the addresses that answers; name receives its text.
 * Returns whether one did; if not, it has reported why on stderr.
 */
static bool connect_any(struct conversation *talk, const struct address_list *found,
			const struct task *task, char name[ADDRESS_TEXT_MAX])
{
	const struct address *source = &task->settings.source;
	struct progress progress = { .verbose = talk->verbose,
				     .addresses = found->count };
	struct race_rules rules = {
		.source = source->length > 0 ? source : NULL,
		.urgent_inline = task->program == NULL,
		.interrupts = talk->interrupts,
		.deadline_us = task->connected_by_us,
		.tell = tell_progress,
		.owner = &progress,
	};
	struct race_result result;
	int err = race_run(&result, found, &rules);

	if (err == 0) {
		talk->sock = result.fd;
		address_format(&found->at[result.winner], name, ADDRESS_TEXT_MAX);
		return true;
	}
	if (err == -EINTR)
		command_say(&connect_page, "%s: interrupted by SIG%s", progress.latest,
			    interrupt_name(interrupt_take(talk->interrupts)));
	else
		tell_failures(&result, found);
	return false;
}

static void tell_connected(const struct conversation *talk)
{
	struct address own = { .length = sizeof(own.any) };
	char name[ADDRESS_TEXT_MAX];

	if (!talk->verbose)
		return;
	if (getsockname(talk->sock, &own.any.sa, &own.length) < 0)
		own.any.sa.sa_family = AF_UNSPEC;
	address_format(&own, name, sizeof(name));
	command_say(&connect_page, "connected from %s to %s", name, talk->server);
}

/* Runs the conversation to its end. Returns the exit status. */
static int converse(struct conversation *talk)
{
	int err;

	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	err = conversation_start(talk);
	if (err < 0) {
		command_say(&connect_page, "cannot start the writing process: %s",
			    strerror(-err));
		return EXIT_FAILED;
	}
	reader_run(talk);
	return conversation_finish(talk);
}

/* Becomes the program. Returns the exit status if that fails. */
static int run_program(int sock, const struct task *task, const sigset_t *mask)
{
	char host[DESTINATION_NAME_MAX];
	bool named = destination_name(host, task->count, task->words);
	int err;

	sigprocmask(SIG_SETMASK, mask, NULL);
	err = ucspi_exec(sock, named ? host : NULL, task->program);
	command_say(&connect_page, "cannot run \"%.255s\": %s", task->program[0],
		    strerror(-err));
	return UCSPI_FAILED;
}

static void prepare(struct conversation *talk, const struct task *task)
{
	const struct connect_settings *settings = &task->settings;

	*talk = (struct conversation){
		.sock = -1,
		.interrupts = -1,
		.verbose = settings->verbose,
		.rules = settings->writer,
		.limits = {
			.idle_ms = settings->idle_timeout_ms,
			.whole_ms = settings->timeout_ms,
			.deadline_us = end_of(task->began_us, settings->timeout_ms),
		},
	};
}

/* Called after the lookup, which blocks; from here on signals are read as data. */
static void take_signals(struct conversation *talk, sigset_t *mask_of_before)
{
	int err;

	sigprocmask(SIG_SETMASK, NULL, mask_of_before);
	err = interrupt_open(&talk->interrupts);
	if (err < 0)
		die(EXIT_FAILED, connect_page.program, "signalfd: %s", strerror(-err));
}

int connect_run(int argc, char **argv)
{
	char name[ADDRESS_TEXT_MAX];
	struct address_list found;
	struct conversation talk;
	struct task task;
	sigset_t mask;
	int status;

	read_command_line(&task, argc, argv);
	prepare(&talk, &task);
	talk.server = name;
	find_addresses(&found, &task);
	take_signals(&talk, &mask);
	status = task.failed;
	if (connect_any(&talk, &found, &task, name)) {
		tell_connected(&talk);
		status = task.program != NULL ? run_program(talk.sock, &task, &mask)
					      : converse(&talk);
		close(talk.sock);
	}
	close(talk.interrupts);
	return status;
}
