#include "connect.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/die.h"
#include "common/command.h"
#include "common/dial.h"
#include "common/interrupt.h"
#include "connect_options.h"
#include "conversation.h"
#include "reader.h"

#define FAILURES_MAX 3072 /* what each address that a name has answered */

/* The failures of the addresses tried so far, as one line. */
struct failures {
	char text[FAILURES_MAX];
	size_t used;
};

/* "" and ":7"; for listening the latter is good, but whom to call it does not tell. */
static bool lacks_host(const char *word)
{
	return word[0] == '\0' || (word[0] == ':' && strchr(word + 1, ':') == NULL);
}

static void check_words(int count, char **words)
{
	const struct option_page *page = &connect_page;

	if (count == 0)
		option_die(page, "connect to which server? HOST PORT or HOST:PORT");
	if (count > 2)
		option_die(page, "unexpected \"%.80s\" after the address", words[2]);
	if (lacks_host(words[0]))
		option_die(page, "\"%.80s\": the host is missing", words[0]);
	if (count == 1 && strchr(words[0], ':') == NULL)
		option_die(page, "\"%.80s\": the port is missing", words[0]);
}

static void check_port(const struct address *address, const char *host)
{
	/* sin_port and sin6_port are at the same place */
	if (address_family(address) != AF_UNIX && address->any.in.sin_port == 0)
		option_die(&connect_page,
			   "\"%.80s\": port 0 is for listening; a server's port is a "
			   "number from 1 to 65535",
			   host);
}

static void look_up(struct address_list *found, int count, char **words)
{
	struct why why;
	int err;

	check_words(count, words);
	if (count == 2)
		err = address_lookup_host(found, words[0], words[1], &why);
	else
		err = address_lookup(found, words[0], &why);
	if (err == -EHOSTUNREACH)
		die(EXIT_FAILED, connect_page.program, "%s", why.text);
	if (err < 0)
		option_die(&connect_page, "\"%.80s\": %s", words[0], why.text);
	check_port(&found->at[0], words[0]);
}

static void note_failure(struct failures *failures, const char *name, int err)
{
	size_t room = sizeof(failures->text) - failures->used;
	int n = snprintf(failures->text + failures->used, room, "%s%s: %s",
			 failures->used > 0 ? "; " : "", name, strerror(-err));

	failures->used += (size_t)n < room ? (size_t)n : room - 1;
}

/*
 * Dials each address until one answers; name receives its text. Returns whether one
 * did; if not, stderr has been told what each of them answered, or which signal came.
 */
static bool dial_any(struct conversation *talk, const struct address_list *found,
		     int64_t timeout, char name[ADDRESS_TEXT_MAX])
{
	struct failures failures = { .used = 0 };

	for (unsigned i = 0; i < found->count; i++) {
		int err;

		address_format(&found->at[i], name, ADDRESS_TEXT_MAX);
		if (talk->verbose)
			command_say(&connect_page, "trying %s", name);
		err = dial(&talk->sock, &found->at[i], timeout, talk->interrupts);
		if (err == 0)
			return true;
		if (err == -EINTR) {
			command_say(&connect_page, "%s: broken off by SIG%s", name,
				    interrupt_name(interrupt_take(talk->interrupts)));
			return false;
		}
		note_failure(&failures, name, err);
		if (talk->verbose && i + 1 < found->count)
			command_say(&connect_page, "%s: %s", name, strerror(-err));
	}
	command_say(&connect_page, "%s", failures.text);
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

int connect_run(int argc, char **argv)
{
	struct connect_settings settings = { .timeout_ms = 0 };
	struct conversation talk = { .sock = -1 };
	char name[ADDRESS_TEXT_MAX];
	struct address_list found;
	int first;
	int status = EXIT_FAILED;

	first = option_parse(&connect_page, &settings, argc, argv);
	talk.verbose = settings.verbose;
	talk.server = name;
	if (talk.verbose && first < argc)
		command_say(&connect_page, "resolving %s", argv[first]);
	look_up(&found, argc - first, argv + first);
	prepare_signals(&talk);
	if (dial_any(&talk, &found, settings.timeout_ms, name)) {
		tell_connected(&talk);
		status = converse(&talk);
		close(talk.sock);
	}
	close(talk.interrupts);
	return status;
}
