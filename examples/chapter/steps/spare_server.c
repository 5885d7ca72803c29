/*
 * Step 3, spares: echo_server whose processes are forked before their clients come.
 * Look at: one socket pair is the channel. The server accepts a client and sends its
 * descriptor over the channel (SCM_RIGHTS); one of the SPARES that wait there gets it. The
 * server forks the next spare afterwards, when the client no longer waits for that.
 *
 *	./spare_server 7007 2		(PORT SPARES)
 */
#include "echo.h"

#include <sys/wait.h>
#include <errno.h>
#include <signal.h>
#include <string.h>

union control {
	char data[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

static void reap(int sig)
{
	int saved = errno;

	(void)sig;
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	errno = saved;
}

/* Sends fd with one byte, because a message must not be empty. */
static int hand_over(int channel, int fd)
{
	union control control = { .data = { 0 } };
	struct iovec byte = { .iov_base = "x", .iov_len = 1 };
	struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1 };
	struct cmsghdr *header = &control.align;

	message.msg_control = control.data;
	message.msg_controllen = sizeof(control.data);
	*header = (struct cmsghdr){ CMSG_LEN(sizeof(fd)), SOL_SOCKET, SCM_RIGHTS };
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	return sendmsg(channel, &message, MSG_NOSIGNAL) == 1 ? 0 : -1;
}

/* Waits for a client. Returns -1 when the server has ended. */
static int receive(int channel)
{
	union control control = { .data = { 0 } };
	char unused;
	struct iovec byte = { .iov_base = &unused, .iov_len = 1 };
	struct msghdr message = { .msg_iov = &byte, .msg_iovlen = 1 };
	int fd = -1;

	message.msg_control = control.data;
	message.msg_controllen = sizeof(control.data);
	if (recvmsg(channel, &message, 0) == 1 && message.msg_controllen > 0)
		memcpy(&fd, CMSG_DATA(&control.align), sizeof(fd));
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
	struct sigaction act = { .sa_handler = reap, .sa_flags = SA_RESTART };
	int missing = argc == 3 ? atoi(argv[2]) : 0, listener, channel[2], fd;

	if (missing < 1 || socketpair(AF_UNIX, SOCK_SEQPACKET, 0, channel) < 0)
		errx(2, "usage: spare_server PORT SPARES");
	sigaction(SIGCHLD, &act, NULL);
	listener = listen_on(argv[1]);
	for (;;) {
		while (missing > 0 && start_spare(listener, channel) == 0)
			missing--;
		fd = accept(listener, NULL, NULL);
		if (fd >= 0 && hand_over(channel[0], fd) == 0)
			missing++;
		if (fd < 0)
			sleep(1); /* no descriptor or memory left: do not spin */
		else
			close(fd);
	}
}
