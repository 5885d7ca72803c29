/*
 * The first line is NOTIFY_SOCKET; each line after it is an address for the status. No
 * socket is contacted.
 */
#include <sys/socket.h>
#include <sys/un.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/supervisor/notify.h"
#include "fuzz.h"

#define LINES_MAX 40

static const char *name;
static unsigned told;

/* The linker replaces connect(2) and send(2) by these. */
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length);
ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);

/* A path has a NUL after it, an abstract name one before it (unix(7)). */
int __wrap_connect(int fd, const struct sockaddr *address, socklen_t length)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)address;
	size_t offset = offsetof(struct sockaddr_un, sun_path);

	CHECK(fd >= 0 && address->sa_family == AF_UNIX && length <= sizeof(*un));
	CHECK(length == offset + strlen(name) + (name[0] == '/'));
	CHECK((name[0] == '@') == (un->sun_path[0] == '\0'));
	CHECK(memcmp(un->sun_path + 1, name + 1, length - offset - 1) == 0);
	return 0;
}

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
	CHECK(fd >= 0 && (flags & MSG_NOSIGNAL));
	CHECK(size > 0 && memchr(data, '\0', size) == NULL);
	told++;
	return (ssize_t)size;
}

static void tell(struct notify *notify, char **addresses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		notify_add_address(notify, addresses[i]);
		CHECK(strlen(notify->serving) < sizeof(notify->serving));
	}
	notify_ready(notify);
	notify_full(notify, 7, true);
	notify_serving(notify);
	notify_stopping(notify, 3, INT64_C(315360000000000));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = fuzz_text(data, size);
	char *lines[LINES_MAX];
	size_t count = fuzz_split(text, lines, LINES_MAX);
	struct notify notify;

	name = lines[0];
	told = 0;
	CHECK(notify_open(&notify, name) == 0);
	CHECK((notify.fd >= 0) == (notify.error == 0));
	tell(&notify, lines + 1, count - 1);
	CHECK(told == (notify.error == 0 ? 4 : 0));
	notify_close(&notify);
	free(text);
	return 0;
}
