/*
 * What the supervisor and the shim in a warm program agree on. The program is started
 * with the shim preloaded (ld.so(8)) and a channel, a SOCK_SEQPACKET socket, on
 * WARM_CHANNEL. Before main() the shim says there that it waits, WARM_WAITS, a byte, and
 * waits for one message: the connection's
 * descriptor (SCM_RIGHTS), and as data the variables of the connection, "NAME=VALUE",
 * each with its NUL. The end of the channel means that no connection will come.
 */
#ifndef ENGINE_WARM_H
#define ENGINE_WARM_H

#define WARM_CHANNEL  3
#define WARM_WAITS    'w'
#define WARM_TEXT_MAX 2048
#define WARM_VARIABLE "PRONG_WARM" /* "0", or "2": stderr is the connection too */

#endif
