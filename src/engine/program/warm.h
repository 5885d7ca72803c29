/*
 * The protocol between the supervisor and the shim in a warm program. The program is
 * started with the shim preloaded (ld.so(8)) and a channel, a SOCK_SEQPACKET socket, as
 * descriptor WARM_CHANNEL. Before main() the shim sends one byte, WARM_WAITS, and waits
 * for one message: the connection's descriptor (SCM_RIGHTS), and as data the variables
 * of the connection, "NAME=VALUE", each with its NUL. If the channel is closed, no
 * connection will come.
 *
 * Runtimes of other languages read the environment from the stack, where the kernel has
 * put it (execve(2)), and may have noted where it begins. So LD_PRELOAD is the first of
 * a row of variables at the end of the environment that only provide room, for pointers
 * and for text. The shim writes the variables of the connection there.
 */
#ifndef ENGINE_WARM_H
#define ENGINE_WARM_H

#define WARM_CHANNEL       3
#define WARM_WAITS         'w'
#define WARM_TEXT_MAX      2048
#define WARM_ROOMS         9 /* pointers for the connection's variables */
#define WARM_ROOM_VARIABLE "PRONG_ROOM"
#define WARM_VARIABLE      "PRONG_WARM" /* "0", or "2": the connection is stderr too */

#endif
