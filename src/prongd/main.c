/*
 * prongd: serves a built-in service or any program, with a process for each connection.
 * This file is a list of steps; libprong does the work.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nss.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/die.h"
#include "base/fork.h"
#include "activation.h"
#include "effect.h"
#include "identity.h"
#include "options.h"
#include "secrets.h"
#include "service/service.h"

static const struct service *choose_service(char **words)
{
	const struct service *service;

	if (words[0] == NULL)
		option_die(&prongd_page,
			   "no service is given: choose echo, discard, chargen, "
			   "daytime or time; or give a program after --");
	service = service_find(words[0]);
	if (service == NULL)
		option_die(&prongd_page,
			   "unknown service \"%.80s\": choose echo, discard, "
			   "chargen, daytime or time (a program goes after --)",
			   words[0]);
	if (words[1] != NULL)
		option_die(&prongd_page, "unexpected \"%.80s\" after the service",
			   words[1]);
	return service;
}

/*
 * The shim of warm programs: beside prongd where it was built, or where it was
 * installed. If it is missing, the library says so.
 */
static const char *find_shim(void)
{
	static char path[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
	char *name;

	if (length < 0)
		return PRONG_SHIM;
	path[length] = '\0';
	name = strrchr(path, '/') + 1;
	snprintf(name, sizeof(path) - (size_t)(name - path), "prong-warm.so");
	return access(path, R_OK) == 0 ? path : PRONG_SHIM;
}

/* What follows the options: a service, or, after "--", a program. */
static prong_handler *choose_what_to_serve(char **argv, int first,
					   struct prong_program *program)
{
	if (strcmp(argv[first - 1], "--") != 0)
		return choose_service(argv + first)->handler;
	if (argv[first] == NULL)
		option_die(&prongd_page, "no program is given: it goes after --");
	program->argv = (const char *const *)(argv + first);
	return NULL;
}

/*
 * Workers inherit descriptors 0 and 1, so these become /dev/null, by which a worker
 * cannot disturb the process that started the server. Closed ones are filled too, so
 * that no socket gets their numbers. The log stays on 2.
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

/* Whether any option changes the privileges of what serves. */
static bool has_privileges(const struct prong_privileges *privileges)
{
	return privileges->change_ids || privileges->root != NULL ||
	       privileges->limit_count > 0 || privileges->allow_new_privs;
}

/* The user's variables, and after them those of --env, which win. */
static const char *const *list_variables(const struct identity *identity,
					 const struct prongd_settings *settings)
{
	static const char *list[IDENTITY_VARIABLES + OPTION_LIST_MAX + 1];
	size_t count = 0;

	for (size_t i = 0; i < IDENTITY_VARIABLES; i++)
		if (identity->variables[i] != NULL)
			list[count++] = identity->variables[i];
	memcpy(list + count, settings->env.at, settings->env.count * sizeof(list[0]));
	return list;
}

/* A program with a user of its own gets a default home and shell. */
static void choose_users(struct prong_program *program,
			 const struct prongd_settings *settings)
{
	static struct identity ranged = { .variables = { "HOME=/", "SHELL=/bin/sh" } };
	struct why why;

	if (settings->user_range.count == 0)
		return;
	if (identity_check_range(settings->user_range.first, settings->user_range.count,
				 &why) < 0)
		die(EXIT_FAILED, "prongd", "%s", why.text);
	program->env = list_variables(&ranged, settings);
}

/* The groups last as long as the process. */
static void choose_privileges(struct prong_privileges *privileges,
			      struct prong_program *program,
			      const struct prongd_settings *settings)
{
	static struct identity identity;
	struct why why;

	prongd_fill_privileges(privileges, settings);
	if (settings->user == NULL)
		return;
	if (identity_find(&identity, settings->user, settings->group, &why) < 0)
		die(EXIT_FAILED, "prongd", "%s", why.text);
	privileges->change_ids = true;
	privileges->uid = identity.uid;
	privileges->gid = identity.gid;
	privileges->groups = identity.groups;
	privileges->group_count = identity.group_count;
	program->env = list_variables(&identity, settings);
}

/* The owner of UNIX sockets, from --socket-user and --socket-group. */
static void choose_socket_owner(struct prong_options *options,
				const struct prongd_settings *settings)
{
	struct why why;
	int err = 0;

	if (settings->socket_user == NULL && settings->socket_group == NULL)
		return;
	options->socket.change_owner = true;
	options->socket.uid = (uid_t)-1;
	options->socket.gid = (gid_t)-1;
	if (settings->socket_user != NULL)
		err = identity_find_user(&options->socket.uid, settings->socket_user,
					 &why);
	if (err == 0 && settings->socket_group != NULL)
		err = identity_find_group(&options->socket.gid, settings->socket_group,
					  &why);
	if (err < 0)
		die(EXIT_FAILED, "prongd", "%s", why.text);
}

/* Takes the sockets that a service manager has handed over. */
static void take_activation(struct prong_options *options,
			    struct activation *activation)
{
	struct why why;

	if (activation_take(activation, &why) < 0)
		die(EXIT_USAGE, "prongd", "%s", why.text);
	options->listen_fds = activation->fds;
	options->listen_names = activation->names;
	options->listen_fd_count = activation->count;
	options->notify = getenv("NOTIFY_SOCKET");
	if (options->notify != NULL && options->notify[0] == '\0')
		options->notify = NULL;
}

/*
 * Limits name lookups to sources that need no library of their own (nsswitch.conf(5)):
 * such a library would be mapped in every process, and may not fit a static program.
 */
static void limit_name_sources(void)
{
	__nss_configure_lookup("passwd", "files");
	__nss_configure_lookup("group", "files");
	__nss_configure_lookup("initgroups", "files");
	__nss_configure_lookup("hosts", "files dns");
}

/* Refuses an option that would have no effect on what is served. */
static void check_effects(const struct prongd_settings *settings,
			  const struct option_given *given, enum effect_served served,
			  const struct activation *activation)
{
	const struct effect_view view = {
		.settings = settings,
		.given = given,
		.served = served,
		.listen_fds = activation->fds,
		.listen_fd_count = activation->count,
	};
	struct why why;

	if (effect_check(&view, &why) < 0)
		die(EXIT_USAGE, "prongd", "%s", why.text);
}

/*
 * If a sentence of the library is about an option, it begins with the option's name,
 * which only lacks the dashes of the command line.
 */
static _Noreturn void die_of_open(int err, const char *text)
{
	size_t length = strcspn(text, " :");

	die(err == -EINVAL || err == -ENAMETOOLONG ? EXIT_USAGE : EXIT_FAILED, "prongd",
	    "%s%s", option_find(&prongd_page, text, length) != NULL ? "--" : "", text);
}

/*
 * prong_run() restores the signal mask that it finds. After it prongd only ends, and a
 * signal that comes meanwhile must not change how.
 */
static void block_signals(void)
{
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
}

/* Serves until told to stop. */
static void serve(const struct prong_options *options, prong_handler *handler,
		  const struct option_strings *env)
{
	struct prong *server;
	int err = prong_open(&server, options, handler, NULL);

	if (err < 0)
		die_of_open(err, options->error);
	block_signals();
	secrets_forget(environ, env->at, env->count);
	err = prong_run(server);
	prong_close(server);
	if (err < 0)
		die(EXIT_FAILED, "prongd", "%s", options->error);
}

int main(int argc, char **argv)
{
	struct prongd_settings settings = prongd_defaults;
	char error[PRONG_ERROR_MAX];
	/* What these point to must last as long as the process, so they do too. */
	static struct activation activation;
	static struct prong_privileges privileges;
	struct prong_program program;
	struct prong_options options;
	struct option_given given;
	prong_handler *handler;
	int first;

	first = option_parse_given(&prongd_page, &settings, &given, argc, argv);
	limit_name_sources();
	prongd_fill_program(&program, &settings);
	handler = choose_what_to_serve(argv, first, &program);
	if (settings.warm)
		program.warm = find_shim();
	tzset(); /* so that no worker reads the time zone's file again */
	prongd_fill_options(&options, &settings);
	options.error = error;
	options.error_size = sizeof(error);
	take_activation(&options, &activation);
	check_effects(&settings, &given,
		      handler == NULL ? EFFECT_PROGRAM : EFFECT_SERVICE, &activation);
	detach_standard_streams(&settings);
	choose_privileges(&privileges, &program, &settings);
	choose_users(&program, &settings);
	choose_socket_owner(&options, &settings);
	if (has_privileges(&privileges))
		options.privileges = &privileges;
	if (handler == NULL) {
		options.program = &program;
		if (!settings.warm)
			options.spare = 0;
	} else {
		options.sandbox = settings.sandbox;
		fork_without_thread_id(); /* the services have no locks */
	}
	serve(&options, handler, &settings.env);
	return 0;
}
