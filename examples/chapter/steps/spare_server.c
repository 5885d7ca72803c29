/*
 * Step 3, spares: echo_server whose processes are forked before their clients come.
 * Look at: the server accepts a client and sends its descriptor (SCM_RIGHTS) over the
 * channel, a socket pair. One of the SPARES that wait there gets it. The server forks the
 * next spare afterwards, when the client no longer waits for that.
 *
 *	./spare_server 7007 2		(PORT SPARES)
 */
#include "children.h"
#include "echo.h"

#include <string.h>

/* One byte, because a message must not be empty, and beside it one descriptor. */
static char byte;
static struct iovec data = { &byte, 1 };
static union {
	char room[CMSG_SPACE(sizeof(int))];
	struct cmsghdr head;
} control;
static struct msghdr message = { NULL, 0, &data, 1, &control, sizeof(control), 0 };

static int hand_over(int channel, int fd)
{
	control.head = (struct cmsghdr){ CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	return sendmsg(channel, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* Waits for a client. Returns -1 when the server has ended. */
static int receive(int channel)
{
	int fd = -1;

	if (recvmsg(channel, &message, 0) == 1 && message.msg_controllen > 0)
		memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

static int start_spare(int listener, const int channel[2])
{
	pid_t pid = fork();

	if (pid == 0) {
		close(listener);
		close(channel[0]); /* so that the server's end is the only one */
		echo(receive(channel[1]));
		_exit(0);
	}
	return pid < 0 ? -1 : 0;
}

int main(int argc, char *argv[])
{
	int missing = argc == 3 ? atoi(argv[2]) : 0, listener, channel[2], fd;

	if (missing < 1 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel) < 0)
		errx(2, "usage: spare_server PORT SPARES");
	reap_children();
	listener = listen_on(argv[1], 0);
	for (;;) {
		while (missing > 0 && start_spare(listener, channel) == 0)
			missing--;
		fd = accept_client(listener);
		missing += hand_over(channel[0], fd) == 0;
		close(fd);
	}
}
