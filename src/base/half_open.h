/*
 * Handshakes of TCP that a listener has begun (RFC 9293, 3.5). The kernel has answered
 * these clients with a SYN-ACK, and they may take their connections for open already. But
 * accept(2) gives them only after their next packet, and a listener that closes before
 * resets them.
 */
#ifndef BASE_HALF_OPEN_H
#define BASE_HALF_OPEN_H

#include "address.h"

/*
 * Asks the kernel for the handshakes at a TCP listener's address (sock_diag(7)). One whose
 * SYN-ACK went out three times or more does not count: its client has gone, or never was.
 * A client that got a SYN cookie (tcp(7), tcp_syncookies) is in no table.
 *
 * Returns how many there are, or a negative errno where the kernel does not tell. It
 * opens a descriptor and closes it; it never waits.
 */
int half_open_count(const struct address *address);

#endif
