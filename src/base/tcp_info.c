#include "tcp_info.h"

#include <sys/ioctl.h>
#include <sys/socket.h>

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdbool.h>

/* The values of tcpi_state after a FIN; the tcp_info of <netinet/tcp.h> is too old. */
enum {
	STATE_FIN_WAIT1 = 4,
	STATE_TIME_WAIT = 6,
	STATE_CLOSE = 7,
	STATE_CLOSE_WAIT = 8,
	STATE_LAST_ACK = 9,
	STATE_CLOSING = 11
};

/* A connection that was reset is closed, and keeps an error (socket(7)). */
bool tcp_info_take_error(int fd)
{
	socklen_t size = sizeof(int);
	int error = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) == 0 && error != 0;
}

/* TCP counts the client's FIN as a byte received (RFC 9293, 3.4). */
static bool has_ended(const struct tcp_info *info, bool reset)
{
	return (info->tcpi_state == STATE_CLOSE && !reset) ||
	       info->tcpi_state == STATE_CLOSE_WAIT ||
	       info->tcpi_state == STATE_LAST_ACK ||
	       info->tcpi_state == STATE_CLOSING || info->tcpi_state == STATE_TIME_WAIT;
}

/* TCP counts our FIN as a byte not sent yet while it waits after other bytes. */
static bool own_end_waits(const struct tcp_info *info)
{
	return info->tcpi_notsent_bytes > 0 && (info->tcpi_state == STATE_FIN_WAIT1 ||
						info->tcpi_state == STATE_LAST_ACK ||
						info->tcpi_state == STATE_CLOSING);
}

int tcp_info_read(int fd, bool reset, struct traffic *out)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);
	uint32_t idle_ms;
	uint64_t behind;
	int unread = 0;

	if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) < 0)
		return -errno;
	ioctl(fd, SIOCINQ, &unread);
	idle_ms = info.tcpi_last_data_recv < info.tcpi_last_data_sent
			  ? info.tcpi_last_data_recv
			  : info.tcpi_last_data_sent;
	reset = reset && info.tcpi_state == STATE_CLOSE;
	behind = has_ended(&info, reset) + (uint64_t)unread;
	/*
	 * A reset whose error the program has read looks like an end, but is not a
	 * byte.
	 */
	out->in_bytes = info.tcpi_bytes_received > behind
				? info.tcpi_bytes_received - behind
				: 0;
	out->out_bytes = info.tcpi_bytes_sent - info.tcpi_bytes_retrans +
			 info.tcpi_notsent_bytes - own_end_waits(&info);
	out->unread_bytes = unread;
	out->unsent = info.tcpi_unacked > 0 || info.tcpi_notsent_bytes > 0;
	out->ended = has_ended(&info, reset);
	out->closed = info.tcpi_state == STATE_CLOSE;
	out->idle_us = (int64_t)idle_ms * 1000;
	return 0;
}

bool tcp_info_is_closed(int fd)
{
	struct tcp_info info = { 0 };
	socklen_t size = sizeof(info);

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 &&
	       info.tcpi_state == STATE_CLOSE;
}
