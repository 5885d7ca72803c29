#include "environment.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "hostname.h"
#include "warm.h"

struct endpoint {
	char host[ADDRESS_HOST_MAX];
	char port[8];
	char name[HOSTNAME_MAX]; /* empty: not looked up, or not found */
};

__attribute__((format(printf, 2, 3))) static void add(struct environment *environment,
						      const char *format, ...)
{
	size_t room = sizeof(environment->text) - environment->used;
	char *text = environment->text + environment->used;
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(text, room, format, args);
	va_end(args);
	/* The names are our own, and program_prepare() has bounded the values. */
	assert(n > 0 && (size_t)n < room);
	environment->used += (size_t)n + 1;
	environment->at[environment->count++] = text;
}

static void describe(struct endpoint *endpoint, const struct address *address,
		     bool resolve)
{
	address_format_host(address, endpoint->host);
	snprintf(endpoint->port, sizeof(endpoint->port), "%u", address_port(address));
	endpoint->name[0] = '\0';
	if (resolve)
		hostname_find(endpoint->name, address);
}

static void add_tcp(struct environment *environment, const struct client *client,
		    unsigned connections, bool resolve)
{
	struct address local = { .length = sizeof(local.any) };
	struct endpoint here, there;

	add(environment, "PROTO=TCP");
	describe(&there, &client->peer, resolve);
	if (getsockname(client->fd, &local.any.sa, &local.length) == 0) {
		address_normalize(&local);
		describe(&here, &local, resolve);
		add(environment, "TCPLOCALIP=%s", here.host);
		add(environment, "TCPLOCALPORT=%s", here.port);
		if (here.name[0] != '\0')
			add(environment, "TCPLOCALHOST=%s", here.name);
	}
	add(environment, "TCPREMOTEIP=%s", there.host);
	add(environment, "TCPREMOTEPORT=%s", there.port);
	add(environment, "REMOTE_ADDR=%s", there.host);
	add(environment, "REMOTE_PORT=%s", there.port);
	add(environment, "REMOTE_HOST=%s", there.name[0] ? there.name : there.host);
	if (there.name[0] != '\0')
		add(environment, "TCPREMOTEHOST=%s", there.name);
	add(environment, "TCPCONNNUM=%u", connections);
}

/*
 * A peer on a UNIX socket has a name only if it has bound one, which may be any bytes.
 * The name is given as systemd.socket(5) gives it, a path, or "@" and an abstract name,
 * but on one line: bytes that cannot be printed, and the backslash, become \xNN.
 */
static void add_unix_name(struct environment *environment, const struct address *peer)
{
	size_t offset = offsetof(struct sockaddr_un, sun_path);
	size_t length = peer->length > offset ? peer->length - offset : 0;
	const char *name = peer->any.un.sun_path;
	char text[4 * sizeof(peer->any.un.sun_path) + 1];
	size_t used = 0;

	if (!address_is_abstract(peer))
		length = strnlen(name, length);
	for (size_t i = 0; i < length; i++) {
		unsigned char c = (unsigned char)name[i];

		if (i == 0 && c == '\0')
			text[used++] = '@';
		else if (c >= ' ' && c <= '~' && c != '\\')
			text[used++] = (char)c;
		else
			used += (size_t)sprintf(text + used, "\\x%02x", c);
	}
	text[used] = '\0';
	if (used > 0)
		add(environment, "REMOTE_ADDR=%s", text);
}

static void add_unix(struct environment *environment, const struct client *client)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	add(environment, "PROTO=UNIX");
	add_unix_name(environment, &client->peer);
	if (getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return;
	add(environment, "UNIXREMOTEPID=%d", peer.pid);
	add(environment, "UNIXREMOTEEUID=%u", peer.uid);
	add(environment, "UNIXREMOTEEGID=%u", peer.gid);
}

static bool same_name(const char *a, const char *b)
{
	size_t length = strcspn(a, "=");

	return strncmp(a, b, length + 1) == 0;
}

/* Adds the administrator's variables, except those that describe the connection. */
static void add_given(struct environment *environment, const struct program *program)
{
	unsigned own = environment->count;

	for (unsigned i = 0; i < program->env_count; i++) {
		bool known = false;

		for (unsigned j = 0; j < own; j++)
			known = known || same_name(environment->at[j], program->env[i]);
		if (!known)
			environment->at[environment->count++] = program->env[i];
	}
}

void environment_fill(struct environment *environment, const struct program *program,
		      const struct client *client, unsigned connections)
{
	environment->count = 0;
	environment->used = 0;
	if (address_family(&client->peer) == AF_UNIX)
		add_unix(environment, client);
	else
		add_tcp(environment, client, connections, program->options.resolve);
	add_given(environment, program);
	environment->at[environment->count] = NULL;
}

static bool is_given(const struct program *program, const char *name)
{
	for (unsigned i = 0; i < program->env_count; i++)
		if (same_name(program->env[i], name))
			return true;
	return false;
}

void environment_add_user(struct environment *environment,
			  const struct program *program, uid_t uid)
{
	if (uid == 0)
		return;
	if (!is_given(program, "USER="))
		add(environment, "USER=%u", uid);
	if (!is_given(program, "LOGNAME="))
		add(environment, "LOGNAME=%u", uid);
	environment->at[environment->count] = NULL;
}

static bool is_ours(const char *variable)
{
	return same_name("LD_PRELOAD=", variable) ||
	       same_name(WARM_VARIABLE "=", variable) ||
	       same_name(WARM_ROOM_VARIABLE "=", variable);
}

/* Written once: programs that are being started read it. */
static const char *text_room(void)
{
	static char room[sizeof(WARM_ROOM_VARIABLE "=") + WARM_TEXT_MAX];

	if (room[0] == '\0') {
		memset(room, ' ', sizeof(room) - 1);
		memcpy(room, WARM_ROOM_VARIABLE "=", strlen(WARM_ROOM_VARIABLE "="));
	}
	return room;
}

/* The administrator's variables come first, and the shim's room last; warm.h. */
void environment_fill_warm(struct environment *environment,
			   const struct program *program, uid_t uid)
{
	const char *others = "";

	environment->count = 0;
	environment->used = 0;
	for (unsigned i = 0; i < program->env_count; i++)
		if (same_name("LD_PRELOAD=", program->env[i]))
			others = program->env[i] + sizeof("LD_PRELOAD=") - 1;
		else if (!is_ours(program->env[i]))
			environment->at[environment->count++] = program->env[i];
	environment_add_user(environment, program, uid);
	add(environment, "LD_PRELOAD=%s%s%s", program->options.warm,
	    *others != '\0' ? ":" : "", others);
	add(environment, WARM_VARIABLE "=%d",
	    program->options.error_output == PRONG_STDERR_CONNECTION ? 2 : 0);
	for (unsigned i = 0; i < WARM_ROOMS - (*others == '\0' ? 2 : 1) - 1; i++)
		environment->at[environment->count++] = WARM_ROOM_VARIABLE "=";
	environment->at[environment->count++] = text_room();
	environment->at[environment->count] = NULL;
}
