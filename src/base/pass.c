#include "pass.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "gate.h"

/* The control buffer, aligned as a cmsghdr must be (cmsg(3)). */
union control {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

int pass_send(int channel, const void *data, size_t size, int fd)
{
	union control control = { 0 };
	struct iovec part = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control.space),
	};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);
	long n;

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
	/* Forbidden in the sandbox, since a descriptor could leave it. */
	do {
		n = GATE(sendmsg, channel, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
	} while (n == -EINTR);
	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -EPROTO;
}

int pass_receive_up_to(int channel, void *data, size_t *size, int *fd)
{
	union control control = { 0 };
	struct iovec part = { .iov_base = data, .iov_len = *size };
	struct msghdr message = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control,
		.msg_controllen = CMSG_LEN(sizeof(int)),
	};
	struct cmsghdr *header;
	int received;
	ssize_t n;

	do {
		n = recvmsg(channel, &message, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if (n == 0)
		return 0;
	header = CMSG_FIRSTHDR(&message);
	if (header == NULL && (message.msg_flags & MSG_CTRUNC) != 0)
		return -EMFILE;
	if (header == NULL || header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(int)))
		return -EPROTO;
	memcpy(&received, CMSG_DATA(header), sizeof(received));
	if ((message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
		close(received);
		return -EPROTO;
	}
	*size = (size_t)n;
	*fd = received;
	return 1;
}

int pass_receive(int channel, void *data, size_t size, int *fd)
{
	size_t length = size;
	int received = -1;
	int n = pass_receive_up_to(channel, data, &length, &received);

	if (n != 1)
		return n;
	if (length != size) {
		close(received);
		return -EPROTO;
	}
	*fd = received;
	return 1;
}
