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

#define LATE_MAX     384
#define FAILURES_MAX 3072 /* what each address that a name has answered */

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

/* Of each address that was tried; stderr is told. */
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

/* What is under way, told as it happens; latest receives the address tried last. */
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

/*
 * Connects to the first of the addresses that answers; name receives its text. Returns
 * whether one did; if not, stderr has been told why.
 */
static bool connect_any(struct conversation *talk, const struct address_list *found,
			const struct connect_settings *settings, int64_t deadline_us,
			char name[ADDRESS_TEXT_MAX])
{
	struct progress progress = { .verbose = talk->verbose,
				     .addresses = found->count };
	struct race_rules rules = {
		.source = settings->source.length > 0 ? &settings->source : NULL,
		.urgent_inline = true,
		.interrupts = talk->interrupts,
		.deadline_us = deadline_us,
		.tell = tell_progress,
		.owner = &progress,
	};
	struct race_result result;
	int err;

	err = race_run(&result, found, &rules);
	if (err == 0) {
		talk->sock = result.fd;
		address_format(&found->at[result.winner], name, ADDRESS_TEXT_MAX);
		return true;
	}
	if (err == -EINTR)
		command_say(&connect_page, "%s: broken off by SIG%s", progress.latest,
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

/* Between the looking up, which blocks, and the rest, where signals are data. */
static void prepare_signals(struct conversation *talk)
{
	int err = interrupt_open(&talk->interrupts);

	if (err < 0)
		die(EXIT_FAILED, connect_page.program, "signalfd: %s", strerror(-err));
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
}

/* Runs the conversation to its end. Returns the exit status. */
static int converse(struct conversation *talk)
{
	int err = conversation_start(talk);

	if (err < 0) {
		command_say(&connect_page, "cannot start the writing process: %s",
			    strerror(-err));
		return EXIT_FAILED;
	}
	reader_run(talk);
	return conversation_finish(talk);
}

/* When a time that began at from_us ends; 0 ms is no limit. */
static int64_t end_of(int64_t from_us, int64_t ms)
{
	return ms == 0 ? CLOCK_NEVER : from_us + clock_us_from_ms(ms);
}

/* Ends the program if there is no address, or if looking it up takes too long. */
static void find_addresses(struct address_list *found,
			   const struct connect_settings *settings, int64_t deadline_us,
			   int count, char **words)
{
	char late[LATE_MAX];
	struct why why;

	if (settings->verbose && count > 0)
		command_say(&connect_page, "resolving %s", words[0]);
	snprintf(late, sizeof(late), "%s: cannot find the host \"%.255s\" in time\n",
		 connect_page.program, count > 0 ? words[0] : "");
	fuse_light(deadline_us, EXIT_FAILED, late);
	if (destination_find(found, settings, count, words, &why) < 0 ||
	    destination_check_source(settings, &why) < 0)
		die(EXIT_FAILED, connect_page.program, "%s", why.text);
	fuse_remove();
}

int connect_run(int argc, char **argv)
{
	struct connect_settings settings = { .timeout_ms = 0 };
	struct conversation talk = { .sock = -1 };
	int64_t began_us = clock_now_us();
	char name[ADDRESS_TEXT_MAX];
	struct address_list found;
	int64_t connected_by_us;
	int status = EXIT_FAILED;
	int first;

	first = option_parse(&connect_page, &settings, argc, argv);
	talk.verbose = settings.verbose;
	talk.rules = settings.writer;
	talk.limits.idle_ms = settings.idle_timeout_ms;
	talk.limits.whole_ms = settings.timeout_ms;
	talk.limits.deadline_us = end_of(began_us, settings.timeout_ms);
	talk.server = name;
	connected_by_us = end_of(began_us, settings.connect_timeout_ms);
	if (connected_by_us > talk.limits.deadline_us)
		connected_by_us = talk.limits.deadline_us;
	find_addresses(&found, &settings, connected_by_us, argc - first, argv + first);
	prepare_signals(&talk);
	if (connect_any(&talk, &found, &settings, connected_by_us, name)) {
		tell_connected(&talk);
		status = converse(&talk);
		close(talk.sock);
	}
	close(talk.interrupts);
	return status;
}
