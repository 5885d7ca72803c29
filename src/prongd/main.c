/*
 * prongd: serves a built-in service, one process a connection. A list of steps;
 * the work is libprong's.
 */
#include <sys/resource.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "options.h"
#include "service/service.h"

#define OWN_DESCRIPTORS 160 /* of the supervisor itself, with room */

static void print_help(void)
{
	option_help(&prongd_page, stdout);
	puts("\nservices:");
	for (const struct service *service = services; service->name != NULL; service++)
		printf("  %-10s %s (%s)\n", service->name, service->what, service->rfc);
}

/* Ends the program here if the options only ask for a text. */
static void answer_questions(const struct prongd_settings *settings)
{
	if (!settings->help && !settings->version)
		return;
	if (settings->help)
		print_help();
	else
		printf("prongd %s\n", prong_version());
	if (fflush(stdout) != 0)
		die(EXIT_FAILED, "prongd", "cannot write to standard output");
	exit(0);
}

static const struct service *choose_service(int argc, char **argv)
{
	const struct service *service;

	if (argc == 0)
		option_die(&prongd_page,
			   "which service? echo, discard, chargen, daytime "
			   "or time");
	if (argc > 1)
		option_die(&prongd_page, "unexpected \"%.80s\" after the service",
			   argv[1]);
	service = service_find(argv[0]);
	if (service == NULL)
		option_die(&prongd_page,
			   "unknown service \"%.80s\": echo, discard, chargen, daytime "
			   "or time",
			   argv[0]);
	return service;
}

/*
 * Descriptors 0 and 1 are handed down to the workers; they get nothing by which they
 * could disturb whoever started the server. Closed ones are filled too, so that no
 * socket lands there. The log stays on 2.
 */
static void detach_standard_streams(const struct prongd_settings *settings)
{
	int null = open("/dev/null", O_RDWR);

	if (null < 0)
		die(EXIT_FAILED, "prongd", "cannot open /dev/null: %s",
		    strerror(errno));
	while (null < 2)
		null = dup(null);
	dup2(null, 0);
	if (settings->ready_fd != 1)
		dup2(null, 1);
	if (null > 2)
		close(null);
}

/* One descriptor a spare, or a process where they are reused: the limit may be low. */
static void raise_descriptor_limit(const struct prongd_settings *settings)
{
	unsigned max = settings->max_processes;
	unsigned channels =
		settings->reuse != 1 || settings->spare > max ? max : settings->spare;
	rlim_t needed = OWN_DESCRIPTORS + channels;
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= needed)
		return;
	if (limit.rlim_max < needed)
		die(EXIT_FAILED, "prongd",
		    "%u processes kept need %llu descriptors, and the limit is %llu: "
		    "raise it (ulimit -n) or lower --max-processes or --spare",
		    channels, (unsigned long long)needed,
		    (unsigned long long)limit.rlim_max);
	limit.rlim_cur = needed;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die(EXIT_FAILED, "prongd", "cannot raise the descriptor limit: %s",
		    strerror(errno));
}

int main(int argc, char **argv)
{
	struct prongd_settings settings = prongd_defaults;
	const struct service *service;
	char error[PRONG_ERROR_MAX];
	struct prong_options options;
	struct prong *server;
	int first;
	int err;

	first = option_parse(&prongd_page, &settings, argc, argv);
	answer_questions(&settings);
	service = choose_service(argc - first, argv + first);
	tzset(); /* so that no worker reads the time zone's file again */
	detach_standard_streams(&settings);
	raise_descriptor_limit(&settings);
	prongd_fill_options(&options, &settings);
	options.error = error;
	options.error_size = sizeof(error);
	err = prong_open(&server, &options, service->handler, NULL);
	if (err < 0)
		die(err == -EINVAL || err == -ENAMETOOLONG ? EXIT_USAGE : EXIT_FAILED,
		    "prongd", "%s", error);
	err = prong_run(server);
	prong_close(server);
	if (err < 0)
		die(EXIT_FAILED, "prongd", "%s", strerror(-err));
	return 0;
}
