#include "base/pass.h"

#include <sys/socket.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "check.h"

#define UNTOUCHED 4711

struct channel {
	int sender, receiver;
};

static struct channel open_channel(void)
{
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends), 0);
	return (struct channel){ .sender = ends[0], .receiver = ends[1] };
}

static void close_channel(struct channel *channel)
{
	close(channel->sender);
	close(channel->receiver);
}

/* Sends data with count copies of descriptor 0, which pass_send() never does. */
static void send_raw(int channel, const void *data, size_t size, int count)
{
	char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec part = { .iov_base = (void *)data, .iov_len = size };
	struct msghdr message = { .msg_iov = &part, .msg_iovlen = 1 };
	struct cmsghdr *header = (struct cmsghdr *)(void *)control;

	if (count > 0) {
		message.msg_control = control;
		message.msg_controllen = CMSG_SPACE((size_t)count * sizeof(int));
		header->cmsg_level = SOL_SOCKET;
		header->cmsg_type = SCM_RIGHTS;
		header->cmsg_len = CMSG_LEN((size_t)count * sizeof(int));
		memset(CMSG_DATA(header), 0, (size_t)count * sizeof(int));
	}
	assert_int_equal(sendmsg(channel, &message, 0), size);
}

static void a_descriptor_and_its_data_arrive_together(void **state)
{
	struct channel channel = open_channel();
	int out[2], fd = -1;
	char data[4];
	char byte;

	(void)state;
	assert_int_equal(pipe(out), 0);
	assert_int_equal(pass_send(channel.sender, "data", 4, out[1]), 0);
	assert_int_equal(write(out[1], "a", 1), 1); /* the sender keeps its own */
	close(out[1]);
	assert_int_equal(pass_receive(channel.receiver, data, 4, &fd), 1);
	assert_memory_equal(data, "data", 4);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "b", 1), 1);
	assert_int_equal(read(out[0], &byte, 1), 1);
	assert_int_equal(byte, 'a');
	assert_int_equal(read(out[0], &byte, 1), 1);
	assert_int_equal(byte, 'b');
	close(fd);
	close(out[0]);
	close_channel(&channel);
}

static void the_sender_learns_that_nobody_is_there(void **state)
{
	struct channel channel = open_channel();
	int err;

	(void)state;
	assert_ptr_equal(signal(SIGPIPE, SIG_DFL), SIG_DFL);
	close(channel.receiver);
	err = pass_send(channel.sender, "data", 4, 0);
	assert_true(err == -EPIPE || err == -ECONNRESET);
	close(channel.sender);
}

static void sending_never_waits(void **state)
{
	struct channel channel = open_channel();
	int err = 0;

	(void)state;
	for (int i = 0; i < 100000 && err == 0; i++)
		err = pass_send(channel.sender, "data", 4, 0);
	assert_true(err == -EAGAIN || err == -ETOOMANYREFS);
	close_channel(&channel);
}

static void the_receiver_learns_that_the_sender_is_gone(void **state)
{
	struct channel channel = open_channel();
	int fd = UNTOUCHED;
	char data[4];

	(void)state;
	close(channel.sender);
	assert_int_equal(pass_receive(channel.receiver, data, 4, &fd), 0);
	assert_int_equal(fd, UNTOUCHED);
	close(channel.receiver);
}

/* Each leaves fd unchanged and no descriptor behind: promise() counts them. */
static void refuses(const char *data, size_t size, int descriptors)
{
	struct channel channel = open_channel();
	int fd = UNTOUCHED;
	char room[4];

	send_raw(channel.sender, data, size, descriptors);
	assert_int_equal(pass_receive(channel.receiver, room, 4, &fd), -EPROTO);
	assert_int_equal(fd, UNTOUCHED);
	close_channel(&channel);
}

static void data_without_a_descriptor_is_refused(void **state)
{
	(void)state;
	refuses("data", 4, 0);
}

static void a_short_message_is_refused(void **state)
{
	(void)state;
	refuses("dat", 3, 1);
}

static void a_long_message_is_refused(void **state)
{
	(void)state;
	refuses("data!", 5, 1);
}

static void two_descriptors_are_refused_and_none_is_kept(void **state)
{
	(void)state;
	refuses("data", 4, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		promise(a_descriptor_and_its_data_arrive_together),
		promise(the_sender_learns_that_nobody_is_there),
		promise(sending_never_waits),
		promise(the_receiver_learns_that_the_sender_is_gone),
		promise(data_without_a_descriptor_is_refused),
		promise(a_short_message_is_refused),
		promise(a_long_message_is_refused),
		promise(two_descriptors_are_refused_and_none_is_kept),
	};

	return cmocka_run_group_tests_name("pass", tests, NULL, NULL);
}
