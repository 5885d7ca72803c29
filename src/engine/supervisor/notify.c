#include "notify.h"

#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_MAX       512
#define STOP_ALLOWANCE_US 5000000 /* time for the end, after the grace */

/* Returns 0 or a positive errno. */
static int fill_name(struct sockaddr_un *out, socklen_t *length, const char *name)
{
	size_t size = strlen(name);

	if ((name[0] != '/' && name[0] != '@') || size < 2)
		return EAFNOSUPPORT; /* for example vsock: */
	if (size >= sizeof(out->sun_path))
		return ENAMETOOLONG;
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	memcpy(out->sun_path, name, size);
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size +
			      (name[0] == '/'));
	if (name[0] == '@')
		out->sun_path[0] = '\0';
	return 0;
}

int notify_open(struct notify *notify, const char *name)
{
	struct sockaddr_un address;
	socklen_t length;

	notify->fd = -1;
	notify->error = 0;
	strcpy(notify->serving, "Serving");
	if (name == NULL)
		return 0;
	notify->error = fill_name(&address, &length, name);
	if (notify->error != 0)
		return 0;
	notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (notify->fd < 0)
		return -errno;
	/*
	 * Connects now, since a root directory may be given up later; the connection
	 * stays.
	 */
	if (connect(notify->fd, (const struct sockaddr *)&address, length) == 0)
		return 0;
	notify->error = errno;
	notify_close(notify);
	return 0;
}

void notify_close(struct notify *notify)
{
	if (notify->fd >= 0)
		close(notify->fd);
	notify->fd = -1;
}

__attribute__((format(printf, 3, 4))) static void tell(const struct notify *notify,
						       int flags, const char *format,
						       ...)
{
	char text[MESSAGE_MAX];
	va_list args;

	if (notify->fd < 0)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	send(notify->fd, text, strlen(text), flags | MSG_NOSIGNAL);
}

void notify_add_address(struct notify *notify, const char *address)
{
	size_t used = strlen(notify->serving);
	bool first = strchr(notify->serving, ' ') == NULL;
	size_t room = sizeof(notify->serving) - used;

	if (strcmp(notify->serving + used - 3, "...") == 0)
		return;
	if (strlen(address) + sizeof(" on , ...") < room)
		snprintf(notify->serving + used, room, "%s%s", first ? " on " : ", ",
			 address);
	else
		strcpy(notify->serving + used, ", ...");
}

static void tell_serving(const struct notify *notify, int flags)
{
	tell(notify, flags, "READY=1\nSTATUS=%s", notify->serving);
}

void notify_ready(const struct notify *notify)
{
	struct timeval patience = { .tv_sec = 1 };

	if (notify->fd >= 0)
		setsockopt(notify->fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
			   sizeof(patience));
	tell_serving(notify, 0);
}

void notify_serving(const struct notify *notify)
{
	tell_serving(notify, MSG_DONTWAIT);
}

void notify_full(const struct notify *notify, unsigned max, bool wait)
{
	tell(notify, MSG_DONTWAIT,
	     "STATUS=All %u processes are serving: new "
	     "clients %s",
	     max, wait ? "wait" : "are refused");
}

void notify_stopping(const struct notify *notify, int64_t sessions, int64_t grace_us)
{
	/* The manager must wait longer than the grace, however long that is. */
	tell(notify, MSG_DONTWAIT,
	     "STOPPING=1\nEXTEND_TIMEOUT_USEC=%" PRId64
	     "\nSTATUS=Stopping, sessions still open: %" PRId64,
	     grace_us + STOP_ALLOWANCE_US, sessions);
}
