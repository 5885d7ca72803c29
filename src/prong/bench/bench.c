#include "bench.h"

#include <sys/ioctl.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "prong/common/command.h"
#include "prong/common/dial.h"
#include "prong/common/interrupt.h"
#include "base/die.h"
#include "bench_options.h"
#include "chart.h"
#include "crew.h"
#include "json.h"
#include "planner.h"
#include "table.h"

#define WIDTH 80 /* of the chart, if stdout is no terminal */

static void check_word(int count, char **words)
{
	if (count == 0)
		option_die(&bench_page, "no server is given: write HOST:PORT");
	if (count > 1)
		option_die(&bench_page, "unexpected \"%.80s\" after the address",
			   words[1]);
	if (words[0][0] == '\0' ||
	    (words[0][0] == ':' && strchr(words[0] + 1, ':') == NULL))
		option_die(&bench_page, "\"%.80s\": the host is missing", words[0]);
	if (strchr(words[0], ':') == NULL)
		option_die(&bench_page, "\"%.80s\": the port is missing", words[0]);
}

/* Whether connections from our source addresses can reach this address. */
static bool can_be_reached_from(const struct address *address,
				const struct origin *origin)
{
	return origin->count == 0 || address_family(address) == AF_INET;
}

/*
 * Chooses the one address that the run connects to. If a name has several, it is the
 * first one that accepts a connection, which is closed again; if none does, the first
 * one.
 */
static struct address choose_address(const struct address_list *found,
				     const struct bench_settings *settings,
				     int interrupts)
{
	const struct address *first = NULL;

	for (unsigned i = 0; i < found->count; i++) {
		const struct address *address = &found->at[i];
		int fd;

		if (!can_be_reached_from(address, &settings->origin))
			continue;
		if (!first)
			first = address;
		if (found->count == 1 ||
		    dial(&fd, address, settings->timeout_ms, interrupts) < 0)
			continue;
		close(fd);
		return *address;
	}
	return first ? *first : found->at[0];
}

static void look_up(struct address_list *found, const char *word)
{
	struct why why;
	int err = address_lookup(found, word, &why);

	if (err == -EHOSTUNREACH)
		die(EXIT_FAILED, bench_page.program, "%s", why.text);
	if (err < 0)
		option_die(&bench_page, "\"%.80s\": %s", word, why.text);
	/* sin_port and sin6_port have the same offset */
	if (address_family(&found->at[0]) != AF_UNIX &&
	    found->at[0].any.in.sin_port == 0)
		option_die(&bench_page,
			   "\"%.80s\": port 0 is for listening; a server's port is a "
			   "number from 1 to 65535",
			   word);
}

/* From here on signals are read as data. */
static int prepare_signals(void)
{
	int interrupts;
	int err = interrupt_open(&interrupts);

	if (err < 0)
		die(EXIT_FAILED, bench_page.program, "signalfd: %s", strerror(-err));
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	return interrupts;
}

/* Explains "other", which alone says little. */
static void explain(const struct figures *figures)
{
	if (figures->other_error == 0)
		return;
	command_say(&bench_page, "%s: %s (counted as other)", figures->other_call,
		    strerror(figures->other_error));
	if (figures->other_error == EADDRNOTAVAIL)
		command_say(&bench_page, "no port is free for another connection, "
					 "or this machine lacks the address: "
					 "--sources adds addresses to connect from");
}

static int chart_width(void)
{
	struct winsize size = { .ws_col = 0 };

	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col == 0)
		return WIDTH;
	return size.ws_col;
}

static void print(const struct result *result, const struct bench_settings *settings)
{
	const struct histogram *times;
	const char *name;

	explain(&result->figures);
	if (settings->json) {
		json_print(result, settings->histogram);
		return;
	}
	table_print(result);
	times = result_main_part(result, &name);
	if (settings->histogram && times)
		chart_draw(name, times, chart_width());
}

static int run_plan(const struct plan *plan, const struct bench_settings *settings,
		    int interrupts)
{
	struct result *result = calloc(1, sizeof(*result));
	int err = result ? crew_run(result, plan, interrupts) : -ENOMEM;
	bool clean;

	if (err < 0)
		die(EXIT_FAILED, bench_page.program, "cannot start: %s",
		    strerror(-err));
	address_format(&plan->target, result->target, sizeof(result->target));
	print(result, settings);
	clean = result_is_clean(result);
	free(result);
	if (fflush(stdout) != 0 || ferror(stdout))
		die(EXIT_FAILED, bench_page.program,
		    "cannot write to standard output: %s", strerror(errno));
	return clean ? 0 : EXIT_FAILED;
}

int bench_run(int argc, char **argv)
{
	struct bench_settings settings = {
		.duration_ms = BENCH_NOT_GIVEN,
		.processes = 1,
		.timeout_ms = 30000,
	};
	struct address_list found;
	struct address target;
	struct plan plan;
	int interrupts;
	int status;
	int first;

	first = option_parse(&bench_page, &settings, argc, argv);
	check_word(argc - first, argv + first);
	look_up(&found, argv[first]);
	interrupts = prepare_signals();
	target = choose_address(&found, &settings, interrupts);
	planner_make(&plan, &settings, &target);
	status = run_plan(&plan, &settings, interrupts);
	close(interrupts);
	return status;
}
