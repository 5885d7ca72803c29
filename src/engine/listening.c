#include "listening.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "engine/supervisor/admission.h"
#include "engine/supervisor/report.h"
#include "engine/supervisor/opening.h"

#define PORT_TRIES 32 /* until a port is free on all addresses of a name */

static const char *const default_listen[] = { "127.0.0.1:7007", NULL };

/* What became of the addresses of one text. */
struct outcome {
	unsigned opened;
	unsigned port;      /* chosen by the kernel for all of them; 0: not yet */
	bool port_is_taken; /* on another one of them */
	unsigned failed;
	struct failure {
		struct address address;
		int error; /* a negative errno */
		struct why why;
	} failures[ADDRESS_LIST_MAX];
};

static const struct listener *find_own(const struct admission *admission,
				       const struct address *address)
{
	for (unsigned i = 0; i < admission->listener_count; i++)
		if (listener_has(&admission->listeners[i], address))
			return &admission->listeners[i];
	return NULL;
}

static int say_own(const struct listener *own, struct why *why)
{
	char text[ADDRESS_TEXT_MAX];

	address_format(&own->address, text, sizeof(text));
	return why_fail(why, -EADDRINUSE, "this server already listens on %s", text);
}

static int open_listener(struct admission *admission, const struct address *address,
			 const struct prong_options *options, struct why *why)
{
	const struct listener_file file = {
		.mode = options->socket.mode,
		.change_owner = options->socket.change_owner,
		.uid = options->socket.uid,
		.gid = options->socket.gid,
	};
	const struct listener *own = NULL;
	int err;

	if (address_family(address) == AF_UNIX)
		own = find_own(admission, address);
	if (own != NULL)
		return say_own(own, why);
	err = listener_open(&admission->listeners[admission->listener_count], address,
			    &file, why);
	if (err == -EADDRINUSE)
		own = find_own(admission, address);
	if (own != NULL)
		return say_own(own, why);
	if (err == 0)
		admission->listener_count++;
	return err;
}

/* Opens an address, with the port that the first address of its name was given. */
static void open_next(struct admission *admission, struct address address,
		      const struct prong_options *options, struct outcome *outcome)
{
	struct failure *failure = &outcome->failures[outcome->failed];
	bool chosen = address_port(&address) == 0 && outcome->port != 0;
	int err;

	if (chosen)
		address_set_port(&address, outcome->port);
	err = open_listener(admission, &address, options, &failure->why);
	if (err == 0) {
		outcome->opened++;
		outcome->port = address_port(
			&admission->listeners[admission->listener_count - 1].address);
		return;
	}
	failure->address = address;
	failure->error = err;
	outcome->failed++;
	if (chosen && err == -EADDRINUSE)
		outcome->port_is_taken = true;
}

/* Opens as many of the list as possible, beginning at the first free listener. */
static void open_each(struct admission *admission, const struct address_list *list,
		      const struct prong_options *options, struct outcome *outcome)
{
	outcome->opened = outcome->port = outcome->failed = 0;
	outcome->port_is_taken = false;
	for (unsigned i = 0; i < list->count; i++)
		open_next(admission, list->at[i], options, outcome);
}

/*
 * Closes the listeners opened last; the first one is moved to held and keeps its port.
 */
static void take_back(struct admission *admission, unsigned count,
		      struct listener *held)
{
	while (count-- > 1)
		listener_close(&admission->listeners[--admission->listener_count]);
	*held = admission->listeners[--admission->listener_count];
}

/*
 * Opens every address that can be opened. If the kernel chooses the port, all have the
 * same one. A port that is not free on all of them is held until the end, since the
 * kernel might choose it again.
 */
static void open_list(struct admission *admission, const struct address_list *list,
		      const struct prong_options *options, struct outcome *outcome)
{
	struct listener held[PORT_TRIES];
	unsigned count = 0;

	open_each(admission, list, options, outcome);
	while (outcome->port_is_taken && outcome->opened > 0 && count < PORT_TRIES) {
		take_back(admission, outcome->opened, &held[count++]);
		open_each(admission, list, options, outcome);
		/*
		 * If the first address fails too, no port is left: all that the kernel
		 * can give are held.
		 */
		if (outcome->failed > 0 && outcome->failures[0].error == -EADDRINUSE)
			outcome->port_is_taken = true;
	}
	while (count > 0)
		listener_close(&held[--count]);
}

/* No address of a text could be opened; if it has only one, that is not named again. */
static int explain(const struct outcome *outcome, const char *text, struct why *why)
{
	char name[ADDRESS_TEXT_MAX];

	assert(outcome->failed > 0);
	why_set(why, "cannot listen on %.255s: ", text);
	for (unsigned i = 0; i < outcome->failed; i++) {
		address_format(&outcome->failures[i].address, name, sizeof(name));
		why_append(why, "%s%s%s%s", i > 0 ? "; " : "",
			   outcome->failed > 1 ? name : "",
			   outcome->failed > 1 ? ": " : "",
			   outcome->failures[i].why.text);
	}
	return outcome->failures[0].error;
}

static int open_text(struct admission *admission, const char *text,
		     const struct prong_options *options, struct report *report,
		     struct why *why)
{
	struct address_list list;
	struct outcome outcome;
	int err = address_lookup(&list, text, why);

	if (err < 0) {
		why_prepend(why, "bad address %.100s: ", text);
		return err;
	}
	if (admission->listener_count + list.count > LISTENERS_MAX)
		return why_fail(why, -EINVAL, "cannot listen on more than %d addresses",
				LISTENERS_MAX);
	open_list(admission, &list, options, &outcome);
	if (outcome.opened == 0)
		return explain(&outcome, text, why);
	if (outcome.port_is_taken)
		return why_fail(
			why, -EADDRINUSE,
			"cannot listen on %.255s: found no port that is free on "
			"all of its addresses",
			text);
	for (unsigned i = 0; i < outcome.failed; i++)
		opening_listen_failed(report, text, &outcome.failures[i].address,
				      -outcome.failures[i].error,
				      outcome.failures[i].why.text);
	return 0;
}

static int adopt_listeners(struct admission *admission,
			   const struct prong_options *options, struct why *why)
{
	for (size_t i = 0; i < options->listen_fd_count; i++) {
		const char *name =
			options->listen_names != NULL ? options->listen_names[i] : NULL;
		int err;

		if (admission->listener_count == LISTENERS_MAX)
			return why_fail(why, -EINVAL,
					"more than %d listening sockets are given",
					LISTENERS_MAX);
		if (options->listen_fds[i] < admission->settings->keep_fds)
			return why_fail(
				why, -EINVAL,
				"listening socket %d is below keep_fds: workers "
				"would inherit it",
				options->listen_fds[i]);
		if (options->ready_fd > 0 &&
		    options->listen_fds[i] == options->ready_fd)
			return why_fail(why, -EINVAL,
					"ready-fd: descriptor %d is a listening "
					"socket: choose another descriptor",
					options->ready_fd);
		err = listener_adopt(&admission->listeners[admission->listener_count],
				     options->listen_fds[i], name, why);
		if (err < 0) {
			why_prepend(why, "cannot serve ");
			return err;
		}
		admission->listener_count++;
	}
	return 0;
}

static bool is_path(const char *text)
{
	return strncmp(text, "unix:", 5) == 0 && text[5] != '@';
}

bool listening_makes_files(const struct prong_options *options)
{
	const char *const *text = options->listen;

	while (text != NULL && *text != NULL && !is_path(*text))
		text++;
	return text != NULL && *text != NULL;
}

void listening_disown(struct admission *admission)
{
	for (unsigned i = 0; i < admission->listener_count; i++)
		if (admission->listeners[i].adopted)
			admission->listeners[i].fd = -1;
}

static bool has_tcp(const struct admission *admission)
{
	for (unsigned i = 0; i < admission->listener_count; i++)
		if (address_family(&admission->listeners[i].address) != AF_UNIX)
			return true;
	return false;
}

static int keep_alive(const struct admission *admission,
		      const struct prong_options *options, struct why *why)
{
	struct listener_keepalive keepalive = {
		.off = options->no_keepalive,
		.idle_s = (int)(options->keepalive_idle / 1000),
		.interval_s = (int)(options->keepalive_interval / 1000),
		.count = (int)options->keepalive_count,
		.user_timeout_ms = (unsigned)options->user_timeout,
	};
	int err = 0;

	if (!options->no_keepalive && options->keepalive_idle == 0 &&
	    options->keepalive_interval == 0 && options->keepalive_count == 0 &&
	    options->user_timeout == 0)
		return 0;
	if (!has_tcp(admission))
		return why_fail(why, -EINVAL,
				"keepalive and user-timeout have no effect: they "
				"are for TCP, and every listener is a UNIX socket");
	for (unsigned i = 0; i < admission->listener_count && err == 0; i++)
		err = listener_keep_alive(&admission->listeners[i], &keepalive);
	return err < 0 ? why_fail(why, err, "cannot set keepalive or user-timeout: %s",
				  strerror(-err))
		       : 0;
}

int listening_open(struct admission *admission, const struct prong_options *options,
		   struct report *report, struct why *why)
{
	const char *const *text = options->listen;
	int err = adopt_listeners(admission, options, why);

	if (text == NULL)
		text = default_listen + (options->listen_fd_count > 0);
	for (; err == 0 && *text != NULL; text++)
		err = open_text(admission, *text, options, report, why);
	if (err == 0 && admission->listener_count == 0)
		return why_fail(why, -EINVAL, "no address to listen on is given");
	return err == 0 ? keep_alive(admission, options, why) : err;
}
