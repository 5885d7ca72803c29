#include "outlet.h"

#include <sys/socket.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

#define POLLED_MOST 512 /* bytes, for which a writable terminal has room */

static bool keeps_boundaries(int fd)
{
	socklen_t size = sizeof(int);
	int type = SOCK_STREAM;

	getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size);
	return type != SOCK_STREAM;
}

/*
 * Opens what fd refers to once more: O_NONBLOCK belongs to the open file description.
 */
static bool open_anew(struct outlet *outlet, int fd)
{
	char path[32];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	fd = open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return false;
	outlet->fd = fd;
	outlet->owned = true;
	return true;
}

void outlet_open(struct outlet *outlet, int fd)
{
	struct stat file;

	*outlet = (struct outlet){ .way = OUTLET_WRITE, .fd = fd, .stage = { -1, -1 } };
	if (fd < 0 || fstat(fd, &file) < 0)
		return;
	if (S_ISSOCK(file.st_mode))
		outlet->way = keeps_boundaries(fd) ? OUTLET_DATAGRAM : OUTLET_SEND;
	else if (S_ISFIFO(file.st_mode) && open_anew(outlet, fd))
		outlet->way = OUTLET_PIPE;
	else if (S_ISFIFO(file.st_mode))
		outlet->way = pipe2(outlet->stage, O_NONBLOCK | O_CLOEXEC) == 0
				      ? OUTLET_SPLICE
				      : OUTLET_POLL;
	else if (S_ISCHR(file.st_mode) && isatty(fd) && !open_anew(outlet, fd))
		outlet->way = OUTLET_POLL;
}

/*
 * The length of the whole lines that fit into most bytes; a line longer than that is
 * cut.
 */
static size_t whole_lines(const char *lines, size_t length, size_t most)
{
	const char *end;

	if (length <= most)
		return length;
	end = memrchr(lines, '\n', most);
	return end != NULL ? (size_t)(end - lines) + 1 : most;
}

static size_t first_line(const char *lines, size_t length)
{
	const char *end = memchr(lines, '\n', length);

	return end != NULL ? (size_t)(end - lines) + 1 : length;
}

/* splice(2) moves what is in our pipe, from the start of lines, or none of it. */
static ssize_t write_staged(struct outlet *outlet, const char *lines, size_t length)
{
	ssize_t n;

	if (outlet->staged == 0) {
		n = write(outlet->stage[1], lines,
			  whole_lines(lines, length, PIPE_BUF));
		if (n < 0)
			return n;
		outlet->staged = (size_t)n;
	}
	n = splice(outlet->stage[0], NULL, outlet->fd, NULL, outlet->staged,
		   SPLICE_F_NONBLOCK);
	if (n > 0)
		outlet->staged -= (size_t)n;
	return n;
}

static ssize_t write_polled(const struct outlet *outlet, const char *lines,
			    size_t length)
{
	struct pollfd writable = { .fd = outlet->fd, .events = POLLOUT };

	if (poll(&writable, 1, 0) <= 0) {
		errno = EAGAIN;
		return -1;
	}
	return write(outlet->fd, lines, length < POLLED_MOST ? length : POLLED_MOST);
}

static ssize_t write_once(struct outlet *outlet, const char *lines, size_t length)
{
	switch (outlet->way) {
	case OUTLET_WRITE:
		return write(outlet->fd, lines, length);
	case OUTLET_SEND:
		return send(outlet->fd, lines, length, MSG_DONTWAIT | MSG_NOSIGNAL);
	case OUTLET_DATAGRAM:
		return send(outlet->fd, lines, first_line(lines, length),
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	case OUTLET_PIPE:
		return write(outlet->fd, lines, whole_lines(lines, length, PIPE_BUF));
	case OUTLET_SPLICE:
		return write_staged(outlet, lines, length);
	case OUTLET_POLL:
		return write_polled(outlet, lines, length);
	}
	return 0;
}

ssize_t outlet_write(struct outlet *outlet, const char *lines, size_t length)
{
	ssize_t n;

	do {
		n = write_once(outlet, lines, length);
	} while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

void outlet_wait(const struct outlet *outlet, int64_t deadline_us)
{
	struct pollfd writable = { .fd = outlet->fd, .events = POLLOUT };

	poll(&writable, 1, clock_timeout_ms(deadline_us, clock_now_us()));
}

void outlet_close(struct outlet *outlet)
{
	for (int i = 0; i < 2; i++)
		if (outlet->stage[i] >= 0)
			close(outlet->stage[i]);
	if (outlet->owned)
		close(outlet->fd);
	outlet_open(outlet, -1);
}
