/*
 * Hands an open descriptor to another process over a UNIX socket: SCM_RIGHTS, unix(7).
 * One message carries one descriptor. The sender keeps its own.
 */
#ifndef BASE_PASS_H
#define BASE_PASS_H

#include <stddef.h>

/*
 * Sends size bytes of data and fd as one message; never blocks and never causes
 * SIGPIPE. Returns 0; -EPIPE or -ECONNRESET if the other end is closed; -EAGAIN if its
 * queue is full; or another negative errno of sendmsg(2).
 */
int pass_send(int channel, const void *data, size_t size, int fd);

/*
 * Waits for a message of exactly size bytes and its descriptor, which is close-on-exec
 * and then belongs to the caller. Returns 1; 0 if the other end has been closed;
 * -EMFILE if the limit leaves no room for the descriptor, which is lost; -EPROTO for
 * any other message; or another negative errno of recvmsg(2). *fd is set only with 1.
 */
int pass_receive(int channel, void *data, size_t size, int *fd);

/*
 * The same for a message of 1 to *size bytes; *size receives its length. A longer
 * message gives -EPROTO.
 */
int pass_receive_up_to(int channel, void *data, size_t *size, int *fd);

#endif
