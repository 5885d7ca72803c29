/*
 * Handshakes of TCP that a listener has begun (RFC 9293, 3.5). The kernel has answered
 * these clients with a SYN-ACK, so they may consider their connections open already. But
 * accept(2) returns a connection only after the client's next packet. If the listener is
 * closed before that, the client gets a reset.
 */
#ifndef BASE_HALF_OPEN_H
#define BASE_HALF_OPEN_H

#include "address.h"

/*
 * Asks the kernel for the handshakes at a TCP listener's address (sock_diag(7)). One whose
 * SYN-ACK was sent three times or more does not count: its client is gone, or never
 * existed. Clients that got a SYN cookie (tcp(7), tcp_syncookies) cannot be counted.
 *
 * Returns how many there are, or a negative errno if the kernel does not say. Opens a
 * descriptor and closes it. Never waits.
 */
int half_open_count(const struct address *address);

#endif
