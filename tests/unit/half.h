/* A client in the middle of its handshake. */
#ifndef UNIT_HALF_H
#define UNIT_HALF_H

#include "base/address.h"

/*
 * Sends a SYN to that address, and drops the answers, so the server waits for the rest of
 * the handshake. Returns the client's descriptor, or a negative errno if the kernel
 * refuses to filter its socket.
 */
int half_connect(const struct address *address);

#endif
