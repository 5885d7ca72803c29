#include "clients.h"

#include <sys/resource.h>
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "check.h"
#include "parts.h"

#define PATIENCE_US (10 * SECOND_US) /* for expected events */

struct clients clients;
static struct rlimit descriptors;

int listener_and_parts(void **state)
{
	parts_open(state);
	clients.count = 0;
	getrlimit(RLIMIT_NOFILE, &descriptors);
	listen_on("127.0.0.1:0");
	return admission_start(&parts.admission);
}

int clients_and_parts(void **state)
{
	give_descriptors();
	for (unsigned i = 0; i < clients.count; i++)
		close(clients.fds[i]);
	if (parts.admission.held.id != 0)
		close(parts.admission.held.fd);
	return parts_close(state);
}

void listen_on(const char *text)
{
	struct admission *admission = &parts.admission;
	unsigned index = admission->listener_count++;
	struct address_list list = { 0 };

	assert_int_equal(address_lookup(&list, text, NULL), 0);
	assert_int_equal(
		listener_open(&admission->listeners[index], &list.at[0], NULL, NULL),
		0);
	admission->open |= turns_bit(index);
}

int try_to_come(const struct address *address)
{
	int fd = socket(address_family(address), SOCK_STREAM, 0);

	assert_true(fd >= 0);
	if (connect(fd, &address->any.sa, address->length) == 0)
		return fd;
	close(fd);
	return -errno;
}

static void await_queue_of(const struct listener *listener, unsigned count)
{
	int64_t deadline_us = clock_now_us() + PATIENCE_US;

	while (listener_queue_length(listener) != (int)count) {
		assert_true(clock_now_us() < deadline_us);
		sched_yield();
	}
}

void await_queue(unsigned count)
{
	await_queue_of(&parts.admission.listeners[0], count);
}

/* connect(2) of TCP may return before the client is in the queue. */
void clients_come_to(unsigned index, unsigned count)
{
	const struct listener *listener = &parts.admission.listeners[index];
	int queued = listener_queue_length(listener);

	for (unsigned i = 0; i < count; i++) {
		int fd = try_to_come(&listener->address);

		assert_true(fd >= 0 && clients.count < CLIENTS_MAX);
		clients.fds[clients.count++] = fd;
	}
	if (queued >= 0)
		await_queue_of(listener, (unsigned)queued + count);
}

void clients_come(unsigned count)
{
	clients_come_to(0, count);
}

ssize_t client_reads(unsigned number, char *text, size_t size)
{
	size_t length = 0;
	ssize_t n;

	assert_true(number < clients.count);
	while ((n = read(clients.fds[number], text + length, size - 1 - length)) > 0)
		length += (size_t)n;
	text[length] = '\0';
	return n < 0 ? -errno : (ssize_t)length;
}

void admit_at(int64_t now_us)
{
	admission_settle(&parts.admission, now_us);
	assert_int_equal(loop_wait(&parts.loop, 0), 0);
	admission_admit(&parts.admission, now_us);
	admission_settle(&parts.admission, now_us);
}

/* All descriptors below the lowest free one are in use. */
void take_descriptors(void)
{
	struct rlimit none = descriptors;
	int lowest = dup(STDERR_FILENO);

	assert_true(lowest > parts.admission.reserve_fd);
	close(lowest);
	none.rlim_cur = (rlim_t)lowest;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
}

void give_descriptors(void)
{
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &descriptors), 0);
}
