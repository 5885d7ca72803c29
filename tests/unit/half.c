#include "half.h"

#include <sys/socket.h>

#include <errno.h>
#include <linux/filter.h>
#include <unistd.h>

#include "check.h"

int half_connect(const struct address *address)
{
	struct sock_filter nothing[] = { BPF_STMT(BPF_RET | BPF_K, 0) };
	struct sock_fprog filter = { COUNT(nothing), nothing };
	int fd = socket(address_family(address), SOCK_STREAM | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof(filter)) < 0) {
		close(fd);
		return -errno;
	}
	assert_int_equal(connect(fd, &address->any.sa, address->length), -1);
	assert_int_equal(errno, EINPROGRESS);
	return fd;
}
